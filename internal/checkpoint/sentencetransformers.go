package checkpoint

import (
	"encoding/json"
	"errors"
	"fmt"
	"path"
	"path/filepath"
	"strings"

	"github.com/goclip/goclip/internal/tensorfile"
	"github.com/goclip/goclip/text"
)

const (
	modulesFile   = "modules.json"
	denseWeights  = "dense."
	sentenceLimit = "sentence_bert_config.json"
)

// sentenceTransformers is the layout of sentence-transformers' text models: an encoder,
// pooling, and where there is one a Dense, each step in a folder of its own.
func sentenceTransformers() layout {
	return layout{
		name:    SentenceTransformers,
		config:  modulesFile,
		weights: []string{hfWeightsFile, "pytorch_model.bin"},
		match: func(f *files) bool {
			return f.exists(modulesFile) && f.has("embeddings.word_embeddings.")
		},
		read:      readSentenceTransformers,
		positions: resizeGridSharp,
	}
}

// sentenceModule is one step of modules.json.
type sentenceModule struct{ Path, Type string }

func parseModules(b []byte) (m []sentenceModule, err error) {
	err = json.Unmarshal(b, &m)
	return m, err
}

func readSentenceTransformers(f *files) (Spec, naming, error) {
	modules, err := parse(f, modulesFile, parseModules)
	if err != nil {
		return Spec{}, nil, err
	}
	e := text.Encoder{Padding: text.PaddingTail, Pool: text.PoolMean, Head: text.HeadNone}
	for i, m := range modules {
		kind := m.Type[strings.LastIndex(m.Type, ".")+1:]
		switch {
		case m.Path != "" && !filepath.IsLocal(m.Path):
			err = fmt.Errorf("%s: step %d lies in %q, outside the folder", modulesFile, i, m.Path)
		case kind == "Transformer" && i == 0 && m.Path == "":
		case kind == "Pooling" && i == 1:
			e.Pool, err = parse(f, path.Join(m.Path, hfConfigFile), sentencePool)
		case kind == "Dense" && i == 2:
			err = readDense(f, m.Path, &e)
		case kind == "Normalize": // which embeddings are anyway
		default:
			err = fmt.Errorf("%s: step %d is a %s in %q, which is not supported; want Transformer, Pooling, Dense and Normalize", modulesFile, i, kind, m.Path)
		}
		if err != nil {
			return Spec{}, nil, err
		}
	}
	if e.ContextLength, err = sentenceLength(f); err != nil {
		return Spec{}, nil, err
	}
	var s Spec
	tables := "sentence_bert"
	_, err = parse(f, hfConfigFile, func(b []byte) (struct{}, error) {
		o := parseObject(b)
		kind := o.peek("model_type")
		class, ok := hfEncoderNamed(kind)
		if !ok || !strings.Contains(kind, "bert") || kind == "modernbert" {
			o.fail("model_type is %q, which is not supported; known are bert, roberta, xlm-roberta, distilbert", kind)
			return struct{}{}, o.err()
		}
		if kind == "distilbert" {
			tables = "sentence_distilbert"
		}
		length := e.ContextLength
		e.ContextLength = 0
		whole := class.read(parseObject(b), e).(text.BERT) // as many tokens as it has positions
		if e.ContextLength = whole.ContextLength; length > 0 {
			e.ContextLength = min(length, e.ContextLength)
		}
		if e.Head == text.HeadNone {
			e.EmbedDim = whole.Width
		}
		s.Text, s.HFTokenizer = class.read(o, e), kind
		return struct{}{}, o.err()
	})
	if err != nil {
		return Spec{}, nil, err
	}
	names, err := readTable(tables)
	return withoutScale(s), names, err
}

// sentencePool reads the configuration of a Pooling, old or new.
func sentencePool(b []byte) (text.Pool, error) {
	o := parseObject(b)
	modes := map[string]text.Pool{"cls": text.PoolFirst, "mean": text.PoolMean, "max": text.PoolMax}
	if o.has("pooling_mode") {
		return modes[o.oneOf("pooling_mode", "", "cls", "cls", "mean", "mean", "max", "max")], o.err()
	}
	var chosen []string
	for key := range o.fields {
		if mode, ok := strings.CutPrefix(key, "pooling_mode_"); ok && value(o, key, false) {
			chosen = append(chosen, strings.TrimSuffix(strings.TrimSuffix(mode, "_tokens"), "_token"))
		}
	}
	if len(chosen) != 1 || modes[chosen[0]] == 0 {
		o.fail("pools by %q, want one of cls_token, mean_tokens and max_tokens", chosen)
		return 0, o.err()
	}
	return modes[chosen[0]], o.err()
}

type sentenceDense struct {
	head text.Head
	dim  int
}

func parseDense(b []byte) (sentenceDense, error) {
	o := parseObject(b)
	const module = "torch.nn.modules."
	tanh := o.oneOf("activation_function", module+"activation.Tanh", module+"activation.Tanh", "tanh", module+"linear.Identity", "none") == "tanh"
	heads := map[[2]bool]text.Head{
		{false, false}: text.HeadLinear, {true, false}: text.HeadBias, {false, true}: text.HeadTanh, {true, true}: text.HeadTanhBias,
	}
	return sentenceDense{heads[[2]bool{value(o, "bias", true), tanh}], value(o, "out_features", 0)}, o.err()
}

// readDense reads a Dense, whose weights join the encoder's.
func readDense(f *files, dir string, e *text.Encoder) error {
	d, err := parse(f, path.Join(dir, hfConfigFile), parseDense)
	if err != nil {
		return err
	}
	e.Head, e.EmbedDim = d.head, d.dim
	for _, name := range []string{hfWeightsFile, "pytorch_model.bin"} {
		at, err := f.view.Path(path.Join(dir, name))
		if err != nil {
			continue
		}
		dense, err := openWeights(at)
		if err != nil {
			return err
		}
		f.weights = &joined{f.weights, dense}
		return nil
	}
	return fmt.Errorf("%s: no weights are here", filepath.ToSlash(dir))
}

// sentenceLength is the longest text in tokens; 0 where nothing says it.
func sentenceLength(f *files) (n int, err error) {
	for _, from := range [][2]string{{sentenceLimit, "max_seq_length"}, {"tokenizer_config.json", "model_max_length"}} {
		if !f.exists(from[0]) {
			continue
		}
		n, err = parse(f, from[0], func(b []byte) (int, error) {
			o := parseObject(b)
			limit := value(o, from[1], 0.0) // without a limit, a tokenizer's is 1e30
			if limit < 0 {
				o.fail("%s is %g, want a number of tokens", from[1], limit)
			}
			return int(min(limit, 1<<16)), o.err()
		})
		if n > 0 || err != nil {
			return n, err
		}
	}
	return 0, nil
}

// joined are the weights of two files: those of the second have a prefix.
type joined struct{ weights, dense weights }

func (j *joined) of(name string) (weights, string) {
	if rest, ok := strings.CutPrefix(name, denseWeights); ok {
		return j.dense, rest
	}
	return j.weights, name
}

func (j *joined) Names() []string {
	names := append([]string{}, j.weights.Names()...)
	for _, n := range j.dense.Names() {
		names = append(names, denseWeights+n)
	}
	return names
}

func (j *joined) Info(name string) (tensorfile.Info, bool) {
	w, name := j.of(name)
	return w.Info(name)
}

func (j *joined) Float32(name string, dst []float32) error {
	w, name := j.of(name)
	return w.Float32(name, dst)
}

func (j *joined) View(name string) ([]float32, bool) {
	w, name := j.of(name)
	return w.View(name)
}

func (j *joined) Release(name string) {
	w, name := j.of(name)
	w.Release(name)
}

func (j *joined) Close() error {
	return errors.Join(j.weights.Close(), j.dense.Close())
}
