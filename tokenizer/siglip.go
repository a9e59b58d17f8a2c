package tokenizer

import (
	"fmt"
	"strings"

	"github.com/goclip/goclip/internal/textclean"
)

// siglipText is transformers' SiglipTokenizer, which reads google/siglip-*'s spiece.model:
// a caption is cut at its special tokens, each part is lower-cased, and loses ASCII's
// punctuation. The parts go to sentencepiece behind "<unk>", whose tokens are then left
// out, so that a part keeps the space before it.
type siglipText struct {
	*SentencePiece
	end     int32
	unknown int // number of tokens of "<unk>"
}

const (
	siglipEnd     = "</s>"
	siglipUnknown = "<unk>"
)

// NewSiglip returns the tokenizer of transformers' SiglipTokenizer for a spiece.model. Its
// end token </s> is the padding too. (open_clip's files of the same models hold a
// tokenizer.json instead, which gives other ids for some captions.)
func NewSiglip(model []byte) (*Framed, error) {
	s, err := newSentencePiece(model)
	if err != nil {
		return nil, fmt.Errorf("tokenizer: SentencePiece model: %w", err)
	}
	s.normalizer.dummyPrefix = false
	end, ok := s.ID(siglipEnd)
	if !ok || s.unk < 0 {
		return nil, fmt.Errorf("tokenizer: SentencePiece model: a piece %s and one that is unknown are wanted for SigLIP", siglipEnd)
	}
	engine := &siglipText{SentencePiece: s, end: end}
	engine.unknown = len(s.appendIDs(nil, siglipUnknown))
	return NewFramed(engine, Frame{Clean: CleanNone, After: []int32{end}, Pad: end, OneEnd: true})
}

// AppendIDs implements [Engine].
func (s *siglipText) AppendIDs(dst []int32, text string) ([]int32, error) {
	text = textclean.Valid(spmSpace + strings.ReplaceAll(text, spmSpace, " "))
	text = textclean.LowerEach(text)
	for afterToken := false; text != ""; {
		part, token := cutSiglip(text)
		text = text[len(part)+len(token):]
		if afterToken {
			part = strings.TrimLeftFunc(part, textclean.IsSpace)
		}
		if afterToken = token != ""; afterToken {
			part = strings.TrimRightFunc(part, textclean.IsSpace)
		}
		dst = s.appendPart(dst, part)
		switch token {
		case siglipEnd:
			dst = append(dst, s.end)
		case siglipUnknown:
			dst = append(dst, s.unk)
		}
	}
	return dst, nil
}

// cutSiglip returns what a text begins with up to its first special token, and that.
func cutSiglip(text string) (part, token string) {
	for i := 0; ; i++ {
		at := strings.IndexByte(text[i:], '<')
		if at < 0 {
			return text, ""
		}
		i += at
		for _, token := range []string{siglipEnd, siglipUnknown} {
			if strings.HasPrefix(text[i:], token) {
				return text[:i], token
			}
		}
	}
}

func (s *siglipText) appendPart(dst []int32, part string) []int32 {
	if part == "" {
		return dst
	}
	part = strings.Map(func(r rune) rune {
		if r == '_' {
			return -1
		}
		return dropPunctuation(r)
	}, part)
	part = textclean.CollapseSpace(part)
	first := len(dst)
	dst = s.appendIDs(dst, siglipUnknown+part)
	if n := len(dst) - first; n >= s.unknown {
		dst = append(dst[:first], dst[first+s.unknown:]...)
	}
	return dst
}
