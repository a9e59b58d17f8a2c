package tokenizer

import (
	"fmt"
	"math"
	"strings"
)

// spmModel is what sentencepiece's sentencepiece_model.proto calls ModelProto.
type spmModel struct {
	pieces       []spmPiece
	algorithm    spmAlgorithm
	byteFallback bool
	suffixSpace  bool // treat_whitespace_as_suffix
	unkID        int  // what the trainer was told
	unkPiece     string
	unkSurface   string
	normalizer   spmNormalizer
	denormalizer spmNormalizer
}

type spmPiece struct {
	text  string
	score float32
	kind  spmKind
}

type spmNormalizer struct {
	charsmap     []byte
	dummyPrefix  bool
	removeSpaces bool // at the ends, and more than one
	escapeSpaces bool
}

type spmAlgorithm uint8

const (
	spmUnigram spmAlgorithm = 1 + iota
	spmBPE
)

func (a spmAlgorithm) String() string {
	if names := []string{"UNIGRAM", "BPE", "WORD", "CHAR"}; a >= 1 && int(a) <= len(names) {
		return names[a-1]
	}
	return fmt.Sprint(uint8(a))
}

type spmKind uint8

const (
	spmNormal spmKind = 1 + iota
	spmUnknown
	spmControl
	spmUserDefined
	spmUnused
	spmByte
)

// maxPiece is the length from which sentencepiece refuses a piece.
const maxPiece = 8000

func (m *spmModel) read(data []byte) error {
	spaces := spmNormalizer{dummyPrefix: true, removeSpaces: true, escapeSpaces: true}
	*m = spmModel{algorithm: spmUnigram, unkPiece: "<unk>", unkSurface: " \u2047 ", normalizer: spaces, denormalizer: spaces}
	return wireFields(data, func(f wireField) error {
		if f.number > 5 {
			return nil
		}
		if f.kind != wireBytes {
			return fmt.Errorf("field %d is of kind %d, want a message", f.number, f.kind)
		}
		switch f.number {
		case 1:
			return m.readPiece(f.bytes)
		case 2:
			return m.readTrainer(f.bytes)
		case 3:
			return m.normalizer.read(f.bytes)
		case 5:
			return m.denormalizer.read(f.bytes)
		}
		return nil // 4: samples to test with
	})
}

func (m *spmModel) readPiece(message []byte) error {
	p := spmPiece{kind: spmNormal}
	err := wireFields(message, func(f wireField) error {
		switch f.number {
		case 1:
			p.text = string(f.bytes)
		case 2:
			p.score = math.Float32frombits(uint32(f.value))
		case 3:
			if f.value < uint64(spmNormal) || f.value > uint64(spmByte) {
				return fmt.Errorf("type %d, want 1 to 6", f.value)
			}
			p.kind = spmKind(f.value)
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("piece %d: %w", len(m.pieces), err)
	}
	switch {
	case p.text == "":
		return fmt.Errorf("piece %d is empty", len(m.pieces))
	case len(p.text) >= maxPiece:
		return fmt.Errorf("piece %d has %d bytes, want less than %d", len(m.pieces), len(p.text), maxPiece)
	case strings.Contains(p.text, "\x00") && (p.text != "\x00" || p.kind != spmUnused):
		return fmt.Errorf("piece %d, %.40q, has a zero byte", len(m.pieces), p.text)
	}
	m.pieces = append(m.pieces, p)
	return nil
}

func (m *spmModel) readTrainer(message []byte) error {
	err := wireFields(message, func(f wireField) error {
		switch f.number {
		case 3:
			if f.value != uint64(spmUnigram) && f.value != uint64(spmBPE) {
				return fmt.Errorf("model_type is %v, want UNIGRAM or BPE", spmAlgorithm(min(f.value, 255)))
			}
			m.algorithm = spmAlgorithm(f.value)
		case 24:
			m.suffixSpace = f.value != 0
		case 35:
			m.byteFallback = f.value != 0
		case 40:
			m.unkID = int(int32(f.value))
		case 44:
			m.unkSurface = string(f.bytes)
		case 45:
			m.unkPiece = string(f.bytes)
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("trainer_spec: %w", err)
	}
	return nil
}

func (n *spmNormalizer) read(message []byte) error {
	err := wireFields(message, func(f wireField) error {
		switch f.number {
		case 2:
			n.charsmap = f.bytes
		case 3:
			n.dummyPrefix = f.value != 0
		case 4:
			n.removeSpaces = f.value != 0
		case 5:
			n.escapeSpaces = f.value != 0
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("normalizer_spec: %w", err)
	}
	return nil
}
