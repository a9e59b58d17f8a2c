package encoder

import (
	"errors"
	"fmt"
	"io"

	"github.com/goclip/goclip/internal/checkpoint"
	"github.com/goclip/goclip/internal/journal"
	"github.com/goclip/goclip/internal/tensorfile"
	"github.com/goclip/goclip/tokenizer"
)

// Load opens a model in any of the supported layouts: a folder, or a file of
// weights with its configuration beside it.
//
//   - Hugging Face's CLIPModel, SiglipModel, Siglip2Model, MetaClip2Model, ChineseCLIPModel,
//     AltCLIPModel, VisionTextDualEncoderModel, AlignModel, BlipModel, BlipForImageTextRetrieval,
//     Blip2ForImageTextRetrieval and Tipsv2Model, a tower of the first two, or CLIPSeg: config.json,
//     model.safetensors or pytorch_model.bin, shards or variants of them, preprocessor_config.json
//     or processor_config.json; with an adapter of PEFT beside it, or in a folder that lies
//     beside it; or as the CLIPModel of sentence-transformers;
//   - text towers that were trained towards the features of a CLIP, for [Join]:
//     M-CLIP's, and sentence-transformers' of BERT, RoBERTa, XLM-R or DistilBERT with its
//     modules.json;
//   - open_clip: open_clip_config.json with open_clip_model.safetensors or a
//     training checkpoint, epoch_N.pt. [Model.Save] writes this one too;
//   - OpenAI's .pt, a TorchScript archive or a state dict, after fine-tuning too;
//   - goclip's own, goclip_config.json with goclip_model.safetensors, which [Model.Save]
//     writes for models that the other layouts cannot express.
//
// A file may hold the model within another, as training programs save it. Where it holds
// several, or more than a model, FILE#PREFIX reads the tensors whose names begin with the
// prefix. A file that is named itself is read without an adapter beside it.
//
// Half-precision weights become float32. Weights that [Model.Save] wrote carry checksums:
// loading a damaged tensor is an error that names it. The tokenizer comes from the same
// folder: CLIP's own from vocab.json with merges.txt, tokenizer.json or
// bpe_simple_vocab_16e6.txt.gz, those of other models from what
// [tokenizer.LoadHuggingFace] reads. It gives the ids that the layout's own program gives.
// A folder without any makes a model that takes token ids only, unless Options.Tokenizer is
// set.
//
// Unless Options.Trainable or Copy is set the weights may be mapped from the file, and
// [Model.Close] releases it.
//
// While [Model.Save] runs, in this process or another, and after one that was killed, Load
// returns either the old model or the new one, each with its own tokenizer.
func Load(path string, opts *Options) (m *Model, err error) {
	var o Options
	if opts != nil {
		o = *opts
	}
	err = journal.Again(func() error { m, err = loadOnce(path, o); return err })
	return m, err
}

func loadOnce(path string, o Options) (*Model, error) {
	options := checkpoint.Options{
		ImageSize: o.ImageSize, ContextLength: o.ContextLength, KeptPositions: o.KeptPositions, Own: o.Trainable || o.Copy, Edited: o.Edited,
		Families: o.Families, Architecture: o.Architecture,
	}
	if err := o.Precision.loads(o.Trainable); err != nil {
		return nil, fmt.Errorf("encoder: %w", err)
	}
	switch o.Precision {
	case Float16:
		options.Halves = tensorfile.F16
	case BFloat16:
		options.Halves = tensorfile.BF16
	}
	if o.Preprocess != nil {
		options.Prepared = o.Preprocess.Size
	}
	c, err := checkpoint.Open(path, &options)
	if err != nil {
		return nil, fmt.Errorf("encoder: %w", err)
	}
	m, err := load(c, o)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("encoder: %s: %w", path, err), c.Close())
	}
	return m, nil
}

func load(c *checkpoint.Checkpoint, o Options) (*Model, error) {
	spec := c.Spec()
	if o.Preprocess != nil {
		spec.Preprocess = o.Preprocess
	}
	if o.Upright != nil && spec.Preprocess != nil {
		p := *spec.Preprocess
		p.Upright = *o.Upright
		spec.Preprocess = &p
	}
	if o.Draft && spec.Preprocess != nil {
		p := *spec.Preprocess
		p.Draft = true
		spec.Preprocess = &p
	}
	if spec.Preprocess == nil && spec.Vision != nil {
		return nil, errors.New("the checkpoint does not say how images are preprocessed: put the preprocessor_config.json of the model that it was made from beside it, or, in Go, set Options.Preprocess")
	}
	tok := o.Tokenizer
	if tok == nil && spec.Tokenizer == checkpoint.TokenizerCustom {
		return nil, errors.New("the model was saved with a custom tokenizer, which the layout does not hold: set Options.Tokenizer")
	}
	if tok == nil {
		var err error
		if tok, err = c.LoadTokenizer(o.Vocabulary); err != nil {
			return nil, err
		}
	}
	m, err := blank(fromSpec(spec), tok, &o)
	if err != nil {
		return nil, err
	}
	m.spec, m.mapped, m.close = spec, !o.Trainable, c.Close
	m.own.add(c.File())
	err = guarded("towers", func() error { return c.Fill(m.Params()) })
	if err == nil && o.Precision == Int8 {
		m.quantize()
	}
	return m, err
}

func fromSpec(s checkpoint.Spec) Config {
	cfg := Config{Vision: s.Vision, Text: s.Text, Preprocess: s.Preprocess, LogitScale: s.InitLogitScale, Captioner: s.Captioner}
	if s.LogitBias {
		cfg.LogitBias = &s.InitLogitBias
	}
	return cfg
}

// The layouts that [Model.SaveAs] writes.
const (
	OpenCLIP    = checkpoint.OpenCLIP    // open_clip_config.json, open_clip_model.safetensors
	HuggingFace = checkpoint.HuggingFace // config.json, model.safetensors, preprocessor_config.json
	Own         = checkpoint.Own         // goclip_config.json, goclip_model.safetensors
)

// Save writes the model to a folder with its tokenizer, in open_clip's layout, or in
// goclip's own if open_clip's cannot express it. Load gives it back bit for bit. It is
// [Model.SaveWith] without options: a folder with another model is refused.
func (m *Model) Save(dir string) error { return m.SaveWith(dir, "", SaveOptions{}) }

// CanSave reports why [Model.Save] would refuse the model; nil if it would not.
func (m *Model) CanSave() error {
	if m == nil {
		return errors.New("encoder: the model is nil")
	}
	err := guarded("towers", func() error {
		_, err := m.savedAs()
		return err
	})
	if err != nil {
		return fmt.Errorf("encoder: the model cannot be saved: %w", err)
	}
	return nil
}

// savedAs returns the layout that Save chooses.
func (m *Model) savedAs() (string, error) {
	spec, err := m.toSpec()
	if err != nil {
		return "", err
	}
	var errs []error
	for _, layout := range []string{OpenCLIP, Own} {
		err := checkpoint.Writable(layout, spec)
		if err == nil {
			return layout, nil
		}
		errs = append(errs, err)
	}
	return "", errors.Join(errs...)
}

// SaveAs is [Model.Save] in the layout given, OpenCLIP, HuggingFace or Own. What a
// layout cannot express is an error that names it.
func (m *Model) SaveAs(dir, layout string) error {
	if layout == "" {
		return fmt.Errorf("encoder: save %s: the layout is missing", dir)
	}
	return m.SaveWith(dir, layout, SaveOptions{})
}

// saver is a tokenizer that writes files of its own.
type saver interface{ Save(dir string) error }

// toSpec is what a checkpoint says about the model. A tokenizer that cannot be saved is
// an error.
func (m *Model) toSpec() (checkpoint.Spec, error) {
	spec := m.spec
	spec.Vision, spec.Text, spec.Preprocess = m.cfg.Vision, m.cfg.Text, m.cfg.Preprocess
	spec.InitLogitScale, spec.Captioner = m.cfg.LogitScale, m.cfg.Captioner
	if m.cfg.LogitBias != nil {
		spec.LogitBias, spec.InitLogitBias = true, *m.cfg.LogitBias
	}
	if m.tok == nil {
		return spec, nil
	}
	if _, ok := m.tok.(saver); !ok {
		return spec, fmt.Errorf("the tokenizer, a %T, has no method Save(dir string) error", m.tok)
	}
	return spec, spec.SetTokenizer(m.tok)
}

// ConfigByName returns the configuration of a published model, such as
// "ViT-B-32-quickgelu", "ViT-L-14-336" or "RN50", and whether there is one.
func ConfigByName(name string) (Config, bool) {
	spec, ok := checkpoint.ConfigByName(name)
	return fromSpec(spec), ok
}

// ConfigFor is [ConfigByName] for a model that is to be trained with a tokenizer of
// its own: the size of the vocabulary and the end token are tok's. An error is about tok.
func ConfigFor(name string, tok tokenizer.Tokenizer) (cfg Config, known bool, err error) {
	spec, known := checkpoint.ConfigByName(name)
	if known {
		v, err := vocabularyOf(tok)
		if err != nil {
			return Config{}, true, fmt.Errorf("encoder: configuration: %w", err)
		}
		spec.SetVocabulary(v)
	}
	return fromSpec(spec), known, nil
}

// vocabularyOf is what a text tower must know of a tokenizer.
func vocabularyOf(tok tokenizer.Tokenizer) (v checkpoint.Vocabulary, err error) {
	if tok == nil {
		return v, errors.New("the tokenizer is nil")
	}
	err = guarded("tokenizer", func() error {
		ids := make([]int32, 16)
		n, _ := tok.Encode(ids, "")
		if n < 1 || n > len(ids) {
			return fmt.Errorf("the tokenizer gave %d tokens of an empty caption, want 1 to %d", n, len(ids))
		}
		v = checkpoint.Vocabulary{Size: tok.VocabSize(), End: ids[n-1]}
		if v.End < 0 || int64(v.End) >= int64(v.Size) {
			return fmt.Errorf("the tokenizer ends captions with the id %d, but has %d tokens", v.End, v.Size)
		}
		if n < len(ids) && ids[n] >= 0 {
			v.Pad = ids[n]
		}
		return nil
	})
	return v, err
}

// ConfigNames lists the names that [ConfigByName] knows.
func ConfigNames() []string { return checkpoint.ConfigNames() }

// ReadConfig reads the configuration of a model to be trained with a tokenizer,
// as open_clip writes them: one of its model_configs, or an
// open_clip_config.json, which also says how images are preprocessed. Absent
// fields have open_clip's defaults, except that the size of the vocabulary and
// the end token are those of tok, whatever the file says.
func ReadConfig(r io.Reader, tok tokenizer.Tokenizer) (Config, error) {
	if r == nil {
		return Config{}, errors.New("encoder: configuration: the reader is nil")
	}
	v, err := vocabularyOf(tok)
	if err != nil {
		return Config{}, fmt.Errorf("encoder: configuration: %w", err)
	}
	spec, err := checkpoint.Read(r, v)
	if err != nil {
		return Config{}, fmt.Errorf("encoder: configuration: %w", err)
	}
	return fromSpec(spec), nil
}
