package checkpoint

import (
	"bytes"
	"encoding/json"
	"fmt"
	"image/color"
	"path/filepath"
	"reflect"
	"slices"
	"strings"

	"github.com/goclip/goclip/text"
	"github.com/goclip/goclip/tokenizer"
	"github.com/goclip/goclip/vision"
)

// Families are configurations of towers that are not this module's: of each type one,
// whose values do not count. A stored configuration of the same Family is decoded
// into that type.
type Families struct {
	Vision []vision.Config
	Text   []text.Config
}

// BuiltIn are this module's own families.
func BuiltIn() Families {
	return Families{
		Vision: []vision.Config{
			vision.ViT{}, vision.ResNet{}, vision.SigLIP{}, vision.TimmViT{}, vision.PECore{}, vision.EVA{}, vision.EVA02{},
			vision.GapViT{}, vision.RelPosViT{}, vision.ConvStemViT{}, vision.ConvNeXt{}, vision.FastViT{}, vision.ViTamin{}, vision.Swin{},
			vision.NaFlex{}, vision.EfficientNet{}, vision.PlainViT{}, vision.TIPS{}, vision.BLIP2{},
		},
		Text: []text.Config{text.Transformer{}, text.CoCa{}, text.BERT{}, text.M2M100{}, text.T5{}, text.ModernBERT{}, text.Modern{}, text.TIPS{}},
	}
}

const (
	ownConfigFile  = "goclip_config.json"
	ownWeightsFile = "goclip_model.safetensors"
	ownFormat      = "goclip/1"
)

// own is goclip's own layout, for what the published ones have no place for: towers
// of any family, one tower alone, a tokenizer that the program brings. Tensors have
// their parameters' names.
func own() layout {
	return layout{
		name:    Own,
		config:  ownConfigFile,
		weights: []string{ownWeightsFile},
		match: func(f *files) bool {
			return filepath.Base(f.path) == ownWeightsFile && f.exists(ownConfigFile)
		},
		read: func(f *files) (Spec, naming, error) {
			s, err := parse(f, ownConfigFile, func(b []byte) (Spec, error) { return parseOwn(b, f.families) })
			return s, prefixed{}, err
		},
		write: func(s *Spec) ([]File, naming, error) {
			config, err := formatOwn(s)
			return []File{{ownConfigFile, config}}, prefixed{}, err
		},
		positions: resizeGrid,
	}
}

// ownConfig is a goclip_config.json.
type ownConfig struct {
	Format         string          `json:"format"`
	Vision         *ownTower       `json:"vision,omitempty"`
	Text           *ownTower       `json:"text,omitempty"`
	Preprocess     *ownPreprocess  `json:"preprocess,omitempty"`
	InitLogitScale float64         `json:"init_logit_scale"`
	NoLogitScale   bool            `json:"no_logit_scale,omitempty"`
	InitLogitBias  *float64        `json:"init_logit_bias,omitempty"`
	Captioner      *text.Captioner `json:"captioner,omitempty"`
	Tokenizer      Tokenizer       `json:"tokenizer,omitempty"`
	TextClean      string          `json:"text_clean,omitempty"`

	Captions *tokenizer.HuggingFaceOptions `json:"captions,omitempty"`
}

type ownTower struct {
	Family string          `json:"family"`
	Config json.RawMessage `json:"config"`
}

// ownPreprocess is a vision.Preprocess whose ground is three numbers.
type ownPreprocess struct {
	vision.Preprocess
	Ground *[3]uint8 `json:",omitempty"`
}

func formatOwn(s *Spec) ([]byte, error) {
	c := ownConfig{
		Format: ownFormat, InitLogitScale: s.InitLogitScale, NoLogitScale: s.NoLogitScale,
		Tokenizer: s.Tokenizer, TextClean: s.TextClean, Captions: s.Captions,
	}
	var err error
	if s.Vision != nil {
		if c.Vision, err = ownTowerOf(s.Vision.Family(), s.Vision); err != nil {
			return nil, err
		}
	}
	if s.Text != nil {
		if c.Text, err = ownTowerOf(s.Text.Family(), s.Text); err != nil {
			return nil, err
		}
	}
	if s.LogitBias {
		c.InitLogitBias = &s.InitLogitBias
	}
	if s.Captioner != (text.Captioner{}) {
		c.Captioner = &s.Captioner
	}
	if p := s.Preprocess; p != nil {
		c.Preprocess = &ownPreprocess{Preprocess: *p}
		if p.Ground != nil {
			ground, err := formatGround(Own, p.Ground)
			if err != nil {
				return nil, err
			}
			c.Preprocess.Ground = &ground
		}
	}
	return marshal(c)
}

// ownTowerOf writes a configuration, if it can be read again: a struct whose settings
// are exported.
func ownTowerOf(family string, c any) (*ownTower, error) {
	b, err := json.Marshal(c)
	if err != nil {
		return nil, unwritable(Own, "the configuration of family %s: %v", family, err)
	}
	back := reflect.New(reflect.TypeOf(c))
	if err := decodeStrictly(b, back.Interface()); err != nil || !reflect.DeepEqual(back.Elem().Interface(), c) {
		return nil, unwritable(Own, "the configuration of family %s, which JSON does not give back", family)
	}
	return &ownTower{family, b}, nil
}

func parseOwn(b []byte, extra Families) (Spec, error) {
	var c ownConfig
	if err := decodeStrictly(b, &c); err != nil {
		return Spec{}, err
	}
	if c.Format != ownFormat {
		return Spec{}, fmt.Errorf("format is %.100q, want %q", c.Format, ownFormat)
	}
	s := Spec{
		InitLogitScale: c.InitLogitScale, NoLogitScale: c.NoLogitScale,
		Tokenizer: c.Tokenizer, TextClean: c.TextClean, Captions: c.Captions,
	}
	var err error
	if c.Vision != nil {
		if s.Vision, err = decodeTower(c.Vision, slices.Concat(extra.Vision, BuiltIn().Vision)); err != nil {
			return Spec{}, fmt.Errorf("vision: %w", err)
		}
	}
	if c.Text != nil {
		if s.Text, err = decodeTower(c.Text, slices.Concat(extra.Text, BuiltIn().Text)); err != nil {
			return Spec{}, fmt.Errorf("text: %w", err)
		}
	}
	if c.InitLogitBias != nil {
		s.LogitBias, s.InitLogitBias = true, *c.InitLogitBias
	}
	if c.Captioner != nil {
		s.Captioner = *c.Captioner
	}
	if p := c.Preprocess; p != nil {
		s.Preprocess = &p.Preprocess
		if g := p.Ground; g != nil {
			s.Preprocess.Ground = color.RGBA{g[0], g[1], g[2], 255}
		}
	}
	return s, nil
}

// decodeTower decodes a configuration into the type of the known one of its family.
func decodeTower[C interface{ Family() string }](t *ownTower, known []C) (C, error) {
	var none C
	var names []string
	for _, k := range known {
		names = append(names, k.Family())
		if k.Family() != t.Family {
			continue
		}
		v := reflect.New(reflect.TypeOf(k))
		if err := decodeStrictly(t.Config, v.Interface()); err != nil {
			return none, err
		}
		return v.Elem().Interface().(C), nil
	}
	return none, fmt.Errorf("family %.100q is not known, only %s: a custom tower is read where its configuration is among the options' Families",
		t.Family, strings.Join(names, ", "))
}

// decodeStrictly refuses fields that v does not have.
func decodeStrictly(b []byte, v any) error {
	dec := json.NewDecoder(bytes.NewReader(b))
	dec.DisallowUnknownFields()
	return dec.Decode(v)
}
