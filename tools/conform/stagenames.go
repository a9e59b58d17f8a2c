package main

import (
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"

	G "gorgonia.org/gorgonia"

	"github.com/goclip/goclip/nn"
	"github.com/goclip/goclip/text"
	"github.com/goclip/goclip/vision"
)

// A stage is found in a tower's graph from the parameters, so the towers need no
// hooks. Written down, a place is
//
//	PARAM      the node that reads the parameter
//	PARAM +N   N nodes further on
//	PARAM <    what the node that reads the parameter has as its first input; << what that one has
//	behind …   the same in a block whose norms are behind attention and MLP, not in front
//	= TOWER    the output of a tower, visual or text
//
// stageNames translates the reference's names of stages, fixtures' and transformers'
// first and then open_clip's modules. The first place counts whose parameter the model
// has: families may have lines of their own, or share one. In a place, $1 is the first
// group of the name. A stage that has no line is a module of open_clip, MODULE, whose
// output is at MODULE.bias, MODULE.weight or MODULE.gamma, and whose input, MODULE:input,
// enters at MODULE.weight. A stage of blocks is its last block.
var stageNames = []struct {
	name   *regexp.Regexp
	places []string
}{
	{stageName(`vision\.patch_embed`), []string{"visual.conv1.weight", "visual.trunk.patch_embed.proj.weight", "visual.trunk.embeds.proj.weight"}},
	{stageName(`vision\.embeddings`), []string{"visual.positional_embedding", "visual.trunk.register_tokens", "visual.trunk.pos_embed", "visual.trunk.embeds.pos_embed",
		"visual.embeddings.convolution.weight +3"}}, // the convolution, its bias, SiLU
	{stageName(`vision\.(ln_pre|ln_post)`), []string{"visual.$1.weight", "visual.trunk.norm.weight"}},
	{stageName(`vision\.layernorm`), []string{"visual.trunk.norm.weight"}},
	{stageName(`vision\.pooler`), []string{"visual.trunk.pooler.dense.weight +1", "= visual"}}, // tanh
	{stageName(`vision\.proj`), []string{"visual.proj", "visual.head.proj.weight", "visual.vision_projection.weight"}},
	{stageName(`vision\.bn(\d+)`), []string{"visual.bn$1.weight"}},
	{stageName(`vision\.avgpool`), []string{"visual.bn3.weight +2"}}, // ReLU, the pool
	{stageName(`vision\.attnpool`), []string{"visual.attnpool.c_proj.weight"}},
	{stageName(`vision\.layer(\d+\.\d+)`), []string{"visual.layer$1.bn3.weight +2"}}, // the sum, ReLU
	{stageName(`vision\.block(\d+)`), []string{
		"visual.transformer.resblocks.$1.ls_2.gamma +1", "visual.transformer.resblocks.$1.mlp.c_proj.weight +1", "visual.trunk.blocks.$1.ls2.gamma +1", "visual.trunk.blocks.$1.mlp.fc2.weight +1"}},
	{stageName(`vision\.block(\d+)\.layer_scale([12])`), []string{"visual.trunk.blocks.$1.ls$2.gamma"}},
	{stageName(`vision\.block(\d+)\.expansion`), []string{"visual.encoder.blocks.$1.expansion.expand_conv.weight +2"}}, // the convolution, SiLU
	{stageName(`vision\.block(\d+)\.depthwise_conv`), []string{"visual.encoder.blocks.$1.depthwise_conv.depthwise_conv.weight +2"}},
	{stageName(`vision\.block(\d+)\.squeeze_excite`), []string{"visual.encoder.blocks.$1.squeeze_excite.expand.weight +2"}}, // sigmoid, the product
	{stageName(`vision\.block(\d+)\.ln_([12])`), []string{"visual.transformer.resblocks.$1.ln_$2.weight", "visual.trunk.blocks.$1.norm$2.weight"}},
	{stageName(`vision\.block(\d+)\.attn`), []string{"visual.transformer.resblocks.$1.attn.out_proj.weight", "visual.trunk.blocks.$1.attn.proj.weight"}},
	{stageName(`vision\.block(\d+)\.mlp(\.c_proj)?`), []string{"visual.transformer.resblocks.$1.mlp.c_proj.weight", "visual.trunk.blocks.$1.mlp.fc2.weight"}},
	{stageName(`vision\.block(\d+)\.mlp\.c_fc`), []string{"visual.transformer.resblocks.$1.mlp.c_fc.weight", "visual.trunk.blocks.$1.mlp.fc1.weight"}},
	{stageName(`vision\.block(\d+)\.mlp\.gelu`), []string{"visual.transformer.resblocks.$1.mlp.c_fc.weight +1", "visual.trunk.blocks.$1.mlp.fc1.weight +1"}},
	{stageName(`vision\.head`), []string{"visual.trunk.attn_pool.mlp.fc2.weight +1"}},
	{stageName(`vision\.head\.layernorm`), []string{"visual.trunk.attn_pool.norm.weight"}},
	{stageName(`vision\.head\.mlp`), []string{"visual.trunk.attn_pool.mlp.fc2.weight"}},

	{stageName(`qformer\.layernorm`), []string{"visual.qformer.layernorm.weight +1"}}, // for each image
	{stageName(`qformer\.block(\d+)(?:\.output_query)?`), []string{"visual.qformer.encoder.layer.$1.output_query.LayerNorm.weight"}},
	{stageName(`qformer\.block(\d+)\.attn`), []string{"visual.qformer.encoder.layer.$1.attention.output.LayerNorm.weight"}},
	{stageName(`qformer\.block(\d+)\.crossattention`), []string{"visual.qformer.encoder.layer.$1.crossattention.output.LayerNorm.weight"}},
	{stageName(`qformer\.block(\d+)\.intermediate_query`), []string{"visual.qformer.encoder.layer.$1.intermediate_query.dense.weight +1"}},
	{stageName(`qformer\.block(\d+)\.mlp\.gelu`), []string{"transformer.encoder.layer.$1.intermediate.dense.weight +1"}},
	{stageName(`qformer\.block(\d+)\.mlp_residual_ln`), []string{"transformer.encoder.layer.$1.output.LayerNorm.weight"}},

	{stageName(`text\.(?:roberta\.)?embeddings`), []string{"positional_embedding", "transformer.embeddings.LayerNorm.weight", "token_embedding.weight +2"}}, // scaled, with positions
	{stageName(`embeddings`), []string{"transformer.embeddings.LayerNorm.weight <"}},
	{stageName(`text\.(?:proj|head)`), []string{"text_projection.weight", "text_projection", "= text"}},
	{stageName(`text\.block(\d+)(?:\.mlp_residual_ln)?`), []string{"transformer.resblocks.$1.mlp.c_proj.weight +1", "transformer.encoder.layer.$1.output.LayerNorm.weight"}},
	{stageName(`text\.block(\d+\.ln_[12])`), []string{"transformer.resblocks.$1.weight"}},
	{stageName(`text\.block(\d+)\.attn`), []string{"transformer.resblocks.$1.attn.out_proj.weight", "transformer.encoder.layer.$1.attention.output.LayerNorm.weight"}},
	{stageName(`text\.block(\d+)\.attn\.context`), []string{"transformer.encoder.layer.$1.attention.output.dense.weight <"}},
	{stageName(`text\.block(\d+\.mlp)`), []string{"transformer.resblocks.$1.c_proj.weight"}},
	{stageName(`text\.block(\d+\.mlp\.c_(?:fc|proj))`), []string{"transformer.resblocks.$1.weight"}},
	{stageName(`text\.block(\d+)\.mlp\.gelu`), []string{"transformer.resblocks.$1.mlp.c_fc.weight +1", "transformer.encoder.layer.$1.intermediate.dense.weight +1"}},

	{stageName(`text\.pooler`), []string{"proj.weight <", "proj.0.weight <"}},
	{stageName(`text\.pool`), []string{"text_projection.weight <"}},
	{stageName(`text\.transformer\.embeddings`), []string{"transformer.embeddings.LayerNorm.weight", "transformer.embeddings.norm.weight"}},
	{stageName(`(transformer\.encoder\.layer\.\d+)(?:\.output)?`), []string{"$1.output.LayerNorm.weight"}},
	{stageName(`(transformer\.encoder\.layer\.\d+)\.attention`), []string{"$1.attention.output.LayerNorm.weight"}},
	{stageName(`(transformer\.encoder\.layer\.\d+)\.intermediate`), []string{"$1.intermediate.dense.weight +1"}},
	{stageName(`(transformer\.layers\.\d+)`), []string{"$1.fc2.weight +1", "$1.mlp.Wo.weight +1"}},
	{stageName(`(transformer\.layers\.\d+):input`), []string{"$1.self_attn_layer_norm.weight <", "$1.attn_norm.weight <", "$1.attn.Wqkv.weight <"}},
	{stageName(`(transformer\.layers\.\d+)\.self_attn`), []string{"$1.self_attn.out_proj.weight"}},
	{stageName(`(transformer\.layers\.\d+\.(?:attn|mlp))`), []string{"$1.Wo.weight"}},
	{stageName(`(transformer\.block\.\d+)(?:\.layer\.1)?`), []string{"$1.layer.1.DenseReluDense.wo.weight +1"}},
	{stageName(`(transformer\.block\.\d+\.layer\.0)`), []string{"$1.SelfAttention.o.weight +1"}},
	{stageName(`(blocks\.\d+)`), []string{"$1.mlp.w3.weight +1"}},
	{stageName(`(blocks\.\d+):input`), []string{"$1.norm1.weight <"}},
	{stageName(`(blocks\.\d+)\.attn`), []string{"$1.attn.proj.weight"}},
	{stageName(`(blocks\.\d+)\.mlp`), []string{"$1.mlp.w3.weight"}},

	{stageName(`((?:visual\.)?transformer\.resblocks\.\d+)`), []string{"$1.ls_2.gamma +1", "$1.mlp.c_proj.weight +1"}},
	{stageName(`((?:visual\.)?transformer\.resblocks\.\d+):input`), []string{"$1.ln_1.weight <"}},
	{stageName(`((?:visual\.)?transformer\.resblocks\.\d+)\.attn`), []string{"$1.attn.out_proj.weight"}},
	{stageName(`((?:visual\.)?transformer\.resblocks\.\d+)\.mlp`), []string{"$1.mlp.c_proj.weight"}},
	{stageName(`visual\.trunk\.embeds`), []string{"visual.trunk.embeds.reg_token", "visual.trunk.embeds.pos_embed"}},
	{stageName(`visual\.trunk\.patch_embed`), []string{"visual.trunk.patch_embed.norm.weight +1", "visual.trunk.patch_embed.proj.weight", "visual.trunk.pos_embed <", "visual.trunk.blocks.0.norm1.weight <"}},
	{stageName(`(visual\.trunk\.patch_embed\.backbone\.\d)`), []string{"$1.bn.weight +1", "$1.conv.bias"}}, // GELU
	{stageName(`(visual\.trunk\.patch_embed\.backbone)\.stem`), []string{"$1.stem.conv2.bias"}},
	{stageName(`(visual\.trunk\.patch_embed\.backbone)\.stages\.0`), []string{"$1.stages.0.1.conv3_1x1.weight +1"}},
	{stageName(`(visual\.trunk\.patch_embed\.backbone)\.stages\.1`), []string{"$1.stages.1.3.conv3_1x1.weight +1"}},
	{stageName(`(visual\.trunk\.patch_embed\.backbone)\.pool`), []string{"$1.pool.proj.bias"}},
	{stageName(`(visual\.trunk\.blocks\.\d+)`), []string{"behind $1.norm2.weight +1", "$1.ls2.gamma +1", "$1.gamma_2 +1", "$1.mlp.w2.weight +1", "$1.mlp.fc2.weight +1"}},
	{stageName(`(visual\.trunk\.blocks\.\d+):input`), []string{"behind $1.attn.qkv.weight <", "$1.norm1.weight <"}},
	{stageName(`(visual\.trunk\.blocks\.\d+)\.attn`), []string{"$1.attn.proj.weight"}},
	{stageName(`(visual\.trunk\.(?:blocks\.\d+|attn_pool))\.mlp`), []string{"$1.mlp.w2.weight", "$1.mlp.fc2.weight"}},
	{stageName(`(visual\.trunk\.layers\.\d+\.blocks\.\d+)`), []string{"$1.mlp.fc2.weight +1"}},
	{stageName(`(visual\.trunk\.layers\.\d+\.blocks\.\d+)\.attn`), []string{"$1.attn.proj.weight"}},
	{stageName(`(visual\.trunk\.layers\.\d+\.blocks\.\d+)\.mlp`), []string{"$1.mlp.fc2.weight"}},
	{stageName(`(visual\.trunk\.layers\.\d+)\.downsample`), []string{"$1.downsample.reduction.weight"}},
	{stageName(`visual\.trunk\.attn_pool`), []string{"visual.trunk.attn_pool.mlp.fc2.weight +1"}},
	{stageName(`visual\.attn_pool`), []string{"visual.attn_pool.attn.out_proj.weight"}}, // of the first query
	{stageName(`visual\.trunk\.stem`), []string{"visual.trunk.stem.1.weight", "visual.trunk.stem.2.conv_kxk.0.conv.weight +2"}},
	{stageName(`(visual\.trunk\.stem\.0)`), []string{"$1.conv_kxk.0.conv.weight +3", "$1.bias"}},  // the convolution, its bias, GELU
	{stageName(`(visual\.trunk\.stem\.\d)`), []string{"$1.conv_kxk.0.conv.weight +2", "$1.bias"}}, // the convolution, GELU
	{stageName(`(visual\.trunk\.stages\.\d+\.blocks\.\d+)`), []string{"$1.gamma +1", "$1.layer_scale_2.gamma +1", "$1.layer_scale.gamma +1"}},
	{stageName(`(visual\.trunk\.stages\.\d+\.blocks\.\d+\.token_mixer)`), []string{"$1.mixer.conv_kxk.0.conv.weight +1"}},
	{stageName(`(visual\.trunk\.stages\.\d+\.blocks\.\d+)\.mlp`), []string{"$1.mlp.fc2.bias"}},
	{stageName(`(visual\.trunk\.stages\.\d+)\.downsample`), []string{"$1.downsample.1.bias", "$1.downsample.proj.1.conv_kxk.0.conv.weight +2"}},
	{stageName(`(visual\.trunk\.stages\.\d+\.pos_emb)`), []string{"$1.pos_enc.weight +1"}},
	{stageName(`(visual\.trunk\.final_conv\.se)`), []string{"$1.fc2.weight +2"}}, // sigmoid, the product
	{stageName(`visual\.trunk\.final_conv`), []string{"visual.trunk.final_conv.se.fc2.weight +3"}},
	{stageName(`visual\.trunk\.head`), []string{"visual.trunk.head.weight", "visual.trunk.head.norm.weight", "visual.trunk.head.fc.weight", "visual.head.proj.weight <"}},
	{stageName(`visual\.trunk\.head\.global_pool`), []string{"visual.trunk.head.norm.weight <", "visual.trunk.head.fc.weight <", "visual.head.proj.weight <"}},
	{stageName(`visual\.head`), []string{"visual.head.weight", "visual.head.proj.weight", "= visual"}},
}

func stageName(pattern string) *regexp.Regexp { return regexp.MustCompile("^" + pattern + "$") }

// find returns the node of a stage.
func (t *towers) find(name string) (*G.Node, error) {
	switch name {
	case "vision.ln_post":
		if v, _ := t.model.Config().Vision.(vision.PlainViT); v.NormTwice {
			return t.at("visual.head.proj.weight <<")
		}
	case "text.pooled":
		if c, _ := t.model.Config().Text.(text.Transformer); c.Pool == text.PoolMean {
			return t.at("ln_final.weight +1")
		}
		return t.at("ln_final.weight")
	case "text.ln_final", "ln_final":
		return t.lnFinal()
	case "text.last_hidden_state":
		if t.params["ln_final.weight"] != nil {
			return t.lnFinal()
		}
		name = fmt.Sprintf("text.block%d", t.last("transformer.encoder.layer.%d.output.LayerNorm.weight"))
	}
	if m := mbConv.FindStringSubmatch(name); m != nil && t.has("visual.encoder.blocks.") {
		return t.mbConv(m[1])
	}
	if layer, ok := strings.CutPrefix(name, "vision.layer"); ok && layerOf.MatchString(layer) {
		name = fmt.Sprintf("%s.%d", name, t.last("visual.layer"+layer+".%d.bn3.weight"))
	}
	if blocksOf.MatchString(name) {
		n := 0
		for t.has(fmt.Sprintf("%s.blocks.%d.", name, n)) {
			n++
		}
		name = fmt.Sprintf("%s.blocks.%d", name, n-1)
	}
	// The towers' parameters of text have no name in front.
	module := name
	if strings.HasPrefix(name, "text.") {
		module = strings.TrimPrefix(name, "text.")
	}
	for _, s := range stageNames {
		for _, n := range []string{name, module} {
			if !s.name.MatchString(n) {
				continue
			}
			for i, place := range s.places {
				place = s.name.ReplaceAllString(n, place)
				if t.known(place) || i == len(s.places)-1 {
					return t.at(place)
				}
			}
		}
	}
	places := []string{module + ".bias", module + ".weight", module + ".gamma"}
	if stem, entering := strings.CutSuffix(module, ":input"); entering {
		places = []string{stem + ".weight <"}
	}
	for _, place := range places {
		if t.known(place) {
			return t.at(place)
		}
	}
	return nil, errors.New("a stage of an unknown name")
}

// mbConv matches EfficientNet's blocks, and the last part of each.
var mbConv = stageName(`vision\.block(\d+)(?:\.projection)?`)

// mbConv returns what leaves an EfficientNet's block: what the convolution makes, or where
// one is not the first of its stage a sum.
func (t *towers) mbConv(number string) (*G.Node, error) {
	i, err := strconv.Atoi(number)
	if err != nil {
		return nil, err
	}
	sum := " +2"
	for _, s := range t.model.Config().Vision.(vision.EfficientNet).Stages {
		if i == 0 {
			sum = " +1"
		}
		i -= s.Blocks
	}
	return t.at("visual.encoder.blocks." + number + ".projection.project_conv.weight" + sum)
}

// layerOf matches the number of a ResNet's layer.
var layerOf = stageName(`\d+`)

// blocksOf matches stages that are several blocks.
var blocksOf = stageName(`visual\.trunk\.(stages|layers)\.\d+`)

// has reports whether the model has a parameter whose name begins so.
func (t *towers) has(prefix string) bool {
	for name := range t.params {
		if strings.HasPrefix(name, prefix) {
			return true
		}
	}
	return false
}

// last is the highest number for which the model has a parameter.
func (t *towers) last(format string) int {
	n := 0
	for t.params[fmt.Sprintf(format, n)] != nil {
		n++
	}
	return n - 1
}

// known reports whether the model has the parameter of a place.
func (t *towers) known(place string) bool {
	place, behind := strings.CutPrefix(place, "behind ")
	param, tower, _ := strings.Cut(place, " ")
	if behind && !t.normsBehind(param) {
		return false
	}
	return t.params[param] != nil || param == "=" && t.outputs[tower] != nil
}

// at returns the node of a place, which the graph must have exactly once.
func (t *towers) at(place string) (*G.Node, error) {
	param, hop, _ := strings.Cut(strings.TrimPrefix(place, "behind "), " ")
	p := t.params[param]
	switch {
	case param == "=" && t.outputs[hop] != nil:
		return t.outputs[hop], nil
	case p == nil:
		return nil, fmt.Errorf("the model has no parameter %s, or the file no input for its tower", param)
	}
	hops := 0
	if n, ok := strings.CutPrefix(hop, "+"); ok {
		if _, err := fmt.Sscan(n, &hops); err != nil {
			return nil, err
		}
	}
	n := p.Node(t.g)
	for range 1 + hops {
		readers := t.g.To(n.ID())
		if !readers.Next() {
			return nil, fmt.Errorf("nothing in the graph reads %v", n)
		}
		n = readers.Node().(*G.Node)
		if readers.Next() {
			return nil, fmt.Errorf("several nodes of the graph read what leads from %s to this stage", param)
		}
	}
	for range strings.Count(hop, "<") {
		inputs := t.g.From(n.ID())
		if !inputs.Next() {
			return nil, fmt.Errorf("nothing enters %v", n)
		}
		n = inputs.Node().(*G.Node)
	}
	return n, nil
}

// block is the part of a parameter's name that says which block it is of.
var block = regexp.MustCompile(`^.*\.blocks\.\d+\.`)

// normsBehind reports whether in the block of a parameter the first norm reads what the
// attention has made.
func (t *towers) normsBehind(param string) bool {
	prefix := block.FindString(param)
	if prefix == "" || !t.known(prefix+"norm1.weight") || !t.known(prefix+"attn.proj.weight") {
		return false
	}
	entering, err := t.at(prefix + "norm1.weight <")
	if err != nil {
		return false
	}
	attention, err := t.at(prefix + "attn.proj.weight")
	return err == nil && entering == attention
}

// lnFinal normalises the last block's tokens as the reference does, which does so
// before it pools.
func (t *towers) lnFinal() (n *G.Node, err error) {
	cfg, ok := t.model.Config().Text.(text.Transformer)
	if !ok || cfg.Pool == text.PoolMean {
		return t.at("ln_final.weight")
	}
	x, err := t.find(fmt.Sprintf("text.block%d", cfg.Layers-1))
	if err != nil {
		return nil, err
	}
	defer nn.Catch(&err, "ln_final")
	// Parameters of its own, so that the tower's keep one reader.
	norm := nn.NewLayerNorm("ln_final", cfg.Width, cfg.NormEps)
	for _, p := range norm.Params() {
		p.Data = t.params[p.Name].Data
	}
	return norm.Forward(x), nil
}

// shape is the shape of a stage's node as the reference sees it: pictures have four
// dimensions there, channels in front, also where the towers have tokens already. Only
// what ConvNeXt's norm and MLP see, and all of Swin's, is stored as it is here, which nil
// stands for.
func (t *towers) shape(name string, n *G.Node) []int {
	s := n.Shape()
	if m := inConvNeXt.FindStringSubmatch(name); m != nil && t.known(m[1]+".conv_dw.weight") {
		return nil
	}
	if t.known("visual.trunk.layers.0.blocks.0.attn.qkv.weight") && strings.HasPrefix(name, "visual.") {
		return nil
	}
	if len(s) == 3 && pictures4.MatchString(name) {
		return []int{s[0], s[1], 1, s[2]}
	}
	return s
}

var (
	inConvNeXt = stageName(`(visual\.trunk\.stages\.\d+\.blocks\.\d+)\.(?:norm|mlp)`)
	pictures4  = stageName(`visual\.conv1|visual\.trunk\.patch_embed\.backbone\.\d`)
)

// lastVisionStage is the stage that an image tower of its own returns as
// last_hidden_state: SigLIP's tokens normalised, CLIP's not.
func lastVisionStage(params []*nn.Param) string {
	t := &towers{params: make(map[string]*nn.Param)}
	for _, p := range params {
		t.params[p.Name] = p
	}
	if t.known("visual.trunk.norm.weight") {
		return "vision.ln_post"
	}
	return fmt.Sprintf("vision.block%d", t.last("visual.transformer.resblocks.%d.ln_1.weight"))
}
