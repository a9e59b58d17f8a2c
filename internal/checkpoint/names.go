package checkpoint

import (
	"strings"
)

// naming is a layout's two-way table of names. Canonical names are open_clip's
// for its class CLIP.
type naming interface {
	// stored returns the names of the tensors that, one after the other, make up
	// a parameter, and whether they are transposed; nil if the layout has no
	// place for it.
	stored(canonical string) (names []string, transposed bool)
	// canonical is the inverse, empty for a name the layout does not know.
	canonical(stored string) string
}

// prefixed is the naming of open_clip and OpenAI: the canonical names, in some
// checkpoints with a prefix for all or for those of the text tower.
type prefixed struct{ all, text string }

func (p prefixed) stored(canonical string) ([]string, bool) {
	if isText(canonical) {
		canonical = p.text + canonical
	}
	return []string{p.all + canonical}, false
}

func (p prefixed) canonical(stored string) string {
	name, ok := strings.CutPrefix(stored, p.all)
	if !ok {
		return ""
	}
	if rest, ok := strings.CutPrefix(name, p.text); ok && isText(rest) {
		return rest
	}
	return name
}

// isText reports whether a canonical name is the text tower's.
func isText(canonical string) bool {
	return !strings.HasPrefix(canonical, "visual.") && canonical != "logit_scale" && canonical != "logit_bias"
}

// table is the naming of Hugging Face's CLIPModel.
type table struct {
	toStored    map[string]row
	toCanonical map[string]string
}

// row is one line of a table. In names, # stands for the number of a block.
type row struct {
	canonical  string
	stored     []string
	transposed bool
}

func huggingFaceNames() table {
	rows := []row{
		{"logit_scale", []string{"logit_scale"}, false},
		{"visual.class_embedding", []string{"vision_model.embeddings.class_embedding"}, false},
		{"visual.conv1.weight", []string{"vision_model.embeddings.patch_embedding.weight"}, false},
		{"visual.positional_embedding", []string{"vision_model.embeddings.position_embedding.weight"}, false},
		{"visual.proj", []string{"visual_projection.weight"}, true},
		{"token_embedding.weight", []string{"text_model.embeddings.token_embedding.weight"}, false},
		{"positional_embedding", []string{"text_model.embeddings.position_embedding.weight"}, false},
		{"text_projection", []string{"text_projection.weight"}, true},
	}
	for _, kind := range []string{"weight", "bias"} {
		add := func(canonical, stored string) {
			rows = append(rows, row{canonical + "." + kind, []string{stored + "." + kind}, false})
		}
		add("visual.ln_pre", "vision_model.pre_layrnorm") // spelled so
		add("visual.ln_post", "vision_model.post_layernorm")
		add("ln_final", "text_model.final_layer_norm")
		for _, tower := range [][2]string{{"visual.transformer", "vision_model"}, {"transformer", "text_model"}} {
			block, layer := tower[0]+".resblocks.#.", tower[1]+".encoder.layers.#."
			add(block+"ln_1", layer+"layer_norm1")
			add(block+"ln_2", layer+"layer_norm2")
			add(block+"attn.out_proj", layer+"self_attn.out_proj")
			add(block+"mlp.c_fc", layer+"mlp.fc1")
			add(block+"mlp.c_proj", layer+"mlp.fc2")
			qkv := layer + "self_attn."
			rows = append(rows, row{block + "attn.in_proj_" + kind,
				[]string{qkv + "q_proj." + kind, qkv + "k_proj." + kind, qkv + "v_proj." + kind}, false})
		}
	}
	t := table{map[string]row{}, map[string]string{}}
	for _, r := range rows {
		t.toStored[r.canonical] = r
		for _, name := range r.stored {
			t.toCanonical[name] = r.canonical
		}
	}
	return t
}

func (t table) stored(canonical string) ([]string, bool) {
	pattern, number := cutNumber(canonical)
	r, ok := t.toStored[pattern]
	if !ok {
		return nil, false
	}
	names := make([]string, len(r.stored))
	for i, name := range r.stored {
		names[i] = strings.Replace(name, "#", number, 1)
	}
	return names, r.transposed
}

func (t table) canonical(stored string) string {
	pattern, number := cutNumber(stored)
	return strings.Replace(t.toCanonical[pattern], "#", number, 1)
}

// cutNumber puts # in the place of a name's first part that is a number.
func cutNumber(name string) (pattern, number string) {
	parts := strings.Split(name, ".")
	for i, p := range parts {
		if p != "" && strings.Trim(p, "0123456789") == "" {
			parts[i] = "#"
			return strings.Join(parts, "."), p
		}
	}
	return name, ""
}

// ignored reports whether a tensor is a constant that is stored beside the
// weights: positions 0, 1, 2…, numbers that OpenAI's files repeat from shapes,
// and BatchNorm's count of training steps.
func ignored(canonical, stored string) bool {
	switch stored {
	case "text_model.embeddings.position_ids", "vision_model.embeddings.position_ids":
		return true
	}
	switch canonical {
	case "input_resolution", "context_length", "vocab_size":
		return true
	}
	return strings.HasSuffix(canonical, ".num_batches_tracked")
}
