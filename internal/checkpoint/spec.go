package checkpoint

import (
	"errors"
	"fmt"
	"math"

	"github.com/goclip/goclip/text"
	"github.com/goclip/goclip/tokenizer"
	"github.com/goclip/goclip/vision"
)

// The layouts, as [Spec] and [Save] name them.
const (
	Own         = "goclip"      // goclip_config.json, goclip_model.safetensors: any towers
	HuggingFace = "huggingface" // config.json, model.safetensors, preprocessor_config.json
	OpenCLIP    = "open_clip"   // open_clip_config.json, open_clip_model.safetensors
	OpenAI      = "openai"      // one .pt file; read only
	MCLIP       = "m-clip"      // config.json, pytorch_model.bin of a text tower; read only

	SentenceTransformers = "sentence-transformers" // modules.json and the folders of its steps; read only
)

// Spec is what a checkpoint says about a model, weights aside.
type Spec struct {
	Vision vision.Config // nil for a model without an image tower
	Text   text.Config   // nil for a model without a text tower

	// Preprocess is nil where the checkpoint does not say how images are
	// prepared: a Hugging Face folder without preprocessor_config.json.
	Preprocess *vision.Preprocess

	LogitBias      bool    // there is a parameter logit_bias, as SigLIP has
	InitLogitScale float64 // before training; the natural logarithm of the scale
	InitLogitBias  float64 // before training; read where LogitBias is set
	// NoLogitScale says that the checkpoint came without a logit_scale, as those of one
	// tower or of one trained towards another model's features: it is InitLogitScale.
	NoLogitScale bool

	// Adapts says that the image tower works at the size at which images are prepared,
	// whatever its configuration says: its positions are resized, as Options ask for it.
	Adapts bool

	Captioner text.Captioner // that is kept beside the towers, of CoCa

	dtype string // of the stored weights, as transformers calls it; Save alone sets it

	Layout string // that it was read from; empty for a model from elsewhere

	// Tokenizer is what goclip's own layout says of it; see [Tokenizer].
	Tokenizer Tokenizer
	// Captions is how the tokenizer's files are used, as goclip's own layout says it, and
	// as it is said of a model that is saved; nil for CLIP's own tokenizer, or where the
	// layout tells it otherwise.
	Captions *tokenizer.HuggingFaceOptions

	// The rest is known to open_clip's layout only.

	CustomText     bool                      // names of the text tower are stored with the prefix "text."
	HFTokenizer    string                    // the tokenizer's name where it is not CLIP's own
	TextClean      string                    // how text is cleaned: "lower", "whitespace", "canonicalize"; empty for the tokenizer's own way
	StripSeparator bool                      // HFTokenizer's separator becomes padding
	Tiktoken       string                    // the name of the ranks of a tokenizer of tiktoken's, such as "r50k_base"
	BOSTokenID     int                       // the token that Tiktoken, where it is set, begins captions with; -1 for none
	TikToken       tokenizer.TikTokenOptions // of Tiktoken; TextClean counts for how text is cleaned
}

// CLIPTokenizer reports whether captions are tokenized as CLIP's are.
func (s *Spec) CLIPTokenizer() bool {
	switch s.Text.(type) {
	case nil, text.BERT, text.M2M100, text.T5, text.ModernBERT, text.Modern, text.TIPS:
		return false
	}
	return s.HFTokenizer == ""
}

// Tokenizer is which tokenizer a model of goclip's own layout came with.
type Tokenizer string

const (
	TokenizerFiles  Tokenizer = ""       // the one whose files lie in the folder, if any
	TokenizerCustom Tokenizer = "custom" // one that its program brings
)

// Validate reports the first field that does not fit.
func (s *Spec) Validate() error {
	if s.Vision == nil && s.Text == nil {
		return errors.New("checkpoint: a model without towers")
	}
	if s.Vision != nil {
		if err := s.Vision.Validate(); err != nil {
			return err
		}
	}
	if s.Text != nil {
		if err := s.Text.Validate(); err != nil {
			return err
		}
	}
	if err := s.Captioner.Validate(); err != nil {
		return err
	}
	if s.Vision != nil && s.Text != nil {
		if v, t := s.Vision.Dims().EmbedDim, s.Text.Dims().EmbedDim; v != t {
			return fmt.Errorf("checkpoint: the image tower's features have %d elements, the text tower's %d", v, t)
		}
	}
	if p := s.Preprocess; p != nil && s.Vision != nil {
		size := s.Vision.Dims().ImageSize
		if p.MaxPatches == 0 && p.Size == [2]int{} && p.Resize != vision.ResizeSquash {
			return fmt.Errorf("checkpoint: images keep their shape, since nothing is cut to a crop_size, but the image tower reads %d×%d pixels: "+
				"give do_center_crop and crop_size, or in Go Options.Preprocess", size[1], size[0])
		}
		if p.MaxPatches == 0 && p.Size != size {
			return fmt.Errorf("checkpoint: images are prepared at %d×%d pixels, but the image tower reads %d×%d",
				p.Size[1], p.Size[0], size[1], size[0])
		}
		if err := p.Validate(); err != nil {
			return err
		}
	}
	if !finite(s.InitLogitScale) || !finite(s.InitLogitBias) {
		return errors.New("checkpoint: InitLogitScale and InitLogitBias must be finite")
	}
	return nil
}

func finite(x float64) bool { return !math.IsNaN(x) && !math.IsInf(x, 0) }

// clipLogitScale is where CLIP's training begins, ln(1/0.07), and sigLogitScale
// SigLIP's, ln(10).
const (
	clipLogitScale = 2.659260036932778
	sigLogitScale  = 2.302585092994046
)
