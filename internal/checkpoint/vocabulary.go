package checkpoint

import "github.com/goclip/goclip/text"

// Vocabulary is what a text tower must know of the tokenizer that it is to be trained
// with.
type Vocabulary struct {
	Size     int
	End, Pad int32
}

// SetVocabulary gives a model's text tower another vocabulary: its size, and the end token
// and the padding where they are read.
func (s *Spec) SetVocabulary(v Vocabulary) {
	encoder := func(e *text.Encoder) { e.VocabSize, e.PadID = v.Size, v.Pad }
	switch t := s.Text.(type) {
	case text.Transformer:
		t.VocabSize = v.Size
		if t.EOSTokenID != 0 {
			t.EOSTokenID = v.End
		}
		s.Text = t
	case text.CoCa:
		t.VocabSize, t.PadID = v.Size, v.Pad
		s.Text = t
	case text.Modern:
		t.VocabSize, t.PadID, t.EOSTokenID = v.Size, v.Pad, v.End
		s.Text = t
	case text.BERT:
		encoder(&t.Encoder)
		s.Text = t
	case text.M2M100:
		encoder(&t.Encoder)
		s.Text = t
	case text.T5:
		encoder(&t.Encoder)
		s.Text = t
	case text.ModernBERT:
		encoder(&t.Encoder)
		s.Text = t
	case text.TIPS:
		encoder(&t.Encoder)
		s.Text = t
	}
	if s.Captioner.Layers > 0 {
		s.Captioner.VocabSize = v.Size
	}
}

// set is SetVocabulary of a text_cfg, which need not say any.
func (v Vocabulary) set(o *object) {
	o.set("vocab_size", v.Size)
	o.set("eos_id", v.End)
	o.set("pad_id", v.Pad)
	if !o.has("hf_model_name") {
		return
	}
	config := o.object("hf_model_config")
	config.set("vocab_size", v.Size)
	config.set("pad_token_id", v.Pad)
	o.set("hf_model_config", config.fields)
}
