package checkpoint

import (
	"fmt"
	"maps"
	"strings"

	"github.com/goclip/goclip/text"
)

// openCLIPHF reads and writes open_clip's HFTextEncoder (hf_model.py at 89fb801): an
// encoder of transformers, by its name, and what of it is otherwise.
func openCLIPHF() openCLIPTextTower {
	return openCLIPTextTower{
		customText: true,
		read: func(o *object, dim int, _ bool) (text.Config, bool) {
			if !o.has("hf_model_name") {
				return nil, false
			}
			o.only("text_arch", `"clip"`)
			name := value(o, "hf_model_name", "")
			class, config, ok := hfPublishedNamed(name)
			if !ok || !class.openCLIP {
				o.fail("%s is %q, which is not supported; known are %s", o.name("hf_model_name"), name, strings.Join(openCLIPEncoders(), ", "))
				return text.BERT{}, true
			}
			config.path, config.errs = o.name("hf_model_config"), o.errs
			maps.Copy(config.fields, o.object("hf_model_config").fields)
			e := text.Encoder{ContextLength: value(o, "context_length", 77), EmbedDim: dim, Padding: text.PaddingIDs}
			openCLIPReadout(o, class, &e)
			for _, key := range openCLIPTextFields() { // which open_clip does not read here, except for training
				o.take(key)
			}
			return class.read(config, e), true
		},
		write: func(s *Spec) (map[string]any, bool, error) {
			e, ok := encoderOf(s.Text)
			if !ok {
				return nil, false, nil
			}
			m, err := writeOpenCLIPHF(s.Text, e, s.HFTokenizer)
			set(m, "vocab_size", s.Captioner.VocabSize, s.Captioner.VocabSize != 0)
			return m, true, err
		},
	}
}

// encoderOf returns what encoders of transformers have in common.
func encoderOf(c text.Config) (text.Encoder, bool) {
	switch c := c.(type) {
	case text.BERT:
		return c.Encoder, true
	case text.M2M100:
		return c.Encoder, true
	case text.T5:
		return c.Encoder, true
	case text.ModernBERT:
		return c.Encoder, true
	}
	return text.Encoder{}, false
}

// openCLIPEncoders are the published encoders that open_clip can use.
func openCLIPEncoders() (names []string) {
	for _, p := range hfPublications() {
		if e, _ := hfEncoderNamed(p.modelType); e.openCLIP {
			names = append(names, p.name)
		}
	}
	return names
}

// openCLIPReadout reads how an encoder is pooled and projected. A null asks for the way
// of its class, but for no layer of its own; absent it is mean_pooler.
func openCLIPReadout(o *object, class hfEncoder, e *text.Encoder) {
	def, layer := "mean_pooler", class.pooler
	if o.isNull("hf_pooler_type") {
		layer = false
		if !class.mean {
			def = "cls_pooler"
		}
	}
	switch o.oneOf("hf_pooler_type", def, "mean_pooler", "mean", "max_pooler", "max", "cls_pooler", "cls", "cls_last_hidden_state_pooler", "first") {
	case "mean":
		e.Pool = text.PoolMean
	case "max":
		e.Pool = text.PoolMax
	case "first":
		e.Pool = text.PoolFirst
	case "cls":
		if e.Pool = text.PoolFirst; layer {
			e.Pool = text.PoolTanh
		}
	}
	if o.isNull("hf_proj_type") {
		o.take("hf_proj_type")
		e.Head = text.HeadNone
		return
	}
	if e.Head = text.HeadMLP; o.oneOf("hf_proj_type", "mlp", "mlp", "mlp", "linear", "linear") == "linear" {
		e.Head = text.HeadLinear
	}
}

// writeOpenCLIPHF names the published encoder from which the fewest settings differ: of
// several the one with the tokenizer's name, as encoders of two classes can be one tower.
func writeOpenCLIPHF(c text.Config, e text.Encoder, tokenizer string) (map[string]any, error) {
	heads := map[text.Head]any{text.HeadNone: nil, text.HeadLinear: "linear", text.HeadMLP: "mlp"}
	proj, ok := heads[e.Head]
	switch {
	case !ok:
		return nil, unwritable(OpenCLIP, "the text tower's projection %s", e.Head)
	case e.Padding != text.PaddingIDs:
		return nil, unwritable(OpenCLIP, "the text tower's padding %s", e.Padding)
	}
	pools := map[text.Pool]string{
		text.PoolMean: "mean_pooler", text.PoolMax: "max_pooler", text.PoolFirst: "cls_last_hidden_state_pooler", text.PoolTanh: "cls_pooler",
	}
	var best map[string]any
	most := -1
	for _, p := range hfPublications() {
		class, base, _ := hfPublishedNamed(p.name)
		all, ok := class.write(c)
		if !ok || !class.openCLIP {
			continue
		}
		from, _ := class.write(class.read(base, text.Encoder{}))
		equal := 0
		changed := map[string]any{}
		for key, v := range all {
			if fmt.Sprint(from[key]) == fmt.Sprint(v) {
				equal++
			} else {
				changed[key] = v
			}
		}
		if p.name == tokenizer {
			equal += len(all)
		}
		if equal > most {
			most = equal
			best = map[string]any{"context_length": e.ContextLength, "hf_model_name": p.name, "hf_proj_type": proj, "hf_pooler_type": pools[e.Pool]}
			set(best, "hf_model_config", changed, len(changed) > 0)
		}
	}
	if best == nil {
		return nil, unwritable(OpenCLIP, "a text tower of family %s with these settings", c.Family())
	}
	return best, nil
}
