package checkpoint

import (
	"strings"

	"github.com/goclip/goclip/text"
)

// mCLIP is the layout of multilingual-clip's MultilingualCLIP (M-CLIP): a text tower alone,
// trained towards the text features of a CLIP. The shape of its encoder is not in the
// folder: it is that of the model which modelBase names, whose config.json is read where
// that is a folder below.
func mCLIP() layout {
	return layout{
		name:    MCLIP,
		config:  hfConfigFile,
		weights: []string{"pytorch_model.bin", hfWeightsFile},
		match:   func(f *files) bool { return f.has("LinearTransformation.") && f.exists(hfConfigFile) },
		read: func(f *files) (Spec, naming, error) {
			c, err := parse(f, hfConfigFile, parseMCLIP)
			if err != nil {
				return Spec{}, nil, err
			}
			e := text.Encoder{EmbedDim: c.dims, Padding: text.PaddingTail, Pool: text.PoolMean, Head: text.HeadBias}
			class, tower, err := baseOf(f, c.base, e)
			if err != nil {
				return Spec{}, nil, err
			}
			tables := "mclip"
			if class.modelType == "distilbert" {
				tables = "mclip_distilbert"
			}
			names, err := readTable(tables)
			return withoutScale(Spec{Text: tower, HFTokenizer: c.base}), names, err
		},
		positions: resizeGridSharp,
	}
}

// mCLIPConfig is the model whose shape the encoder has, and the size of the features.
type mCLIPConfig struct {
	base string
	dims int
}

func parseMCLIP(b []byte) (mCLIPConfig, error) {
	o := parseObject(b)
	o.only("model_type", `"M-CLIP"`)
	return mCLIPConfig{value(o, "modelBase", "xlm-roberta-large"), value(o, "numDims", 768)}, o.err()
}

// baseOf reads the configuration of an encoder that a checkpoint names.
func baseOf(f *files, base string, e text.Encoder) (class hfEncoder, c text.Config, err error) {
	fits := func(o *object, class hfEncoder, ok bool) {
		if !ok || !strings.Contains(class.modelType, "bert") {
			o.fail("modelBase names a model of type %q, which is not supported; known are bert, roberta, xlm-roberta, distilbert", o.peek("model_type"))
			return
		}
		c = class.read(o, e)
	}
	if local := base + "/" + hfConfigFile; !strings.ContainsAny(base, `/\:.`) && f.exists(local) {
		_, err = parse(f, local, func(b []byte) (struct{}, error) {
			o := parseObject(b)
			var ok bool
			class, ok = hfEncoderNamed(o.peek("model_type"))
			fits(o, class, ok)
			return struct{}{}, o.err()
		})
		return class, c, err
	}
	class, o, ok := hfPublishedNamed(base)
	if !ok {
		var known []string
		for _, p := range hfPublications() {
			if strings.Contains(p.modelType, "bert") {
				known = append(known, p.name)
			}
		}
		o = parseObject([]byte("{}"))
		o.fail("modelBase is %q, whose shape is not known; known are %s. Otherwise put its %s into a folder of that name",
			base, strings.Join(known, ", "), hfConfigFile)
		return class, nil, o.err()
	}
	fits(o, class, ok)
	return class, c, o.err()
}
