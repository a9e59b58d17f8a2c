package main

// What sentencepiece makes of texts.

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"

	"github.com/goclip/goclip/tokenizer"
)

// pieces is the SentencePiece model of a folder, with the special tokens of the folder's
// tokenizer around its ids, and fairseq's numbers where that has them.
type pieces struct {
	model         *tokenizer.SentencePiece
	before, after []int32
	fairseq       bool
}

// newPieces reads the .model of a folder. t5-small has none: there the pieces, scores and
// charsmap of tokenizer.json are put into one.
func newPieces(dir string) (*pieces, error) {
	models, err := filepath.Glob(filepath.Join(dir, "*.model"))
	if err != nil {
		return nil, err
	}
	var data []byte
	if len(models) > 0 {
		data, err = os.ReadFile(models[0])
	} else {
		data, err = modelOf(filepath.Join(dir, "tokenizer.json"))
	}
	if err != nil {
		return nil, err
	}
	p := new(pieces)
	if p.model, err = tokenizer.ParseSentencePiece(data); err != nil {
		return nil, err
	}
	framed, err := tokenizer.LoadHuggingFace(os.DirFS(dir), tokenizer.HuggingFaceOptions{})
	if err != nil {
		return nil, err
	}
	p.before, p.after = framed.Frame().Before, framed.Frame().After
	unknown, _ := p.model.Piece(0)
	p.fairseq = unknown == "<unk>" // the others begin with <pad>
	return p, nil
}

// ids returns the ids of a text.
func (p *pieces) ids(text string) ([]int32, error) {
	ids, err := p.model.AppendIDs(nil, text)
	for i, id := range ids {
		if p.fairseq {
			ids[i] = fairseqID(id)
		}
	}
	return append(append(p.before[:len(p.before):len(p.before)], ids...), p.after...), err
}

// fairseqID numbers a piece as fairseq does: <s>, <pad>, </s>, <unk>, and then the pieces.
func fairseqID(id int32) int32 {
	if id < 3 {
		return [3]int32{3, 0, 2}[id]
	}
	return id + 1
}

// comparePieces compares the ids that sentencepiece gives.
func comparePieces(r *report, open func() (*pieces, error), line []byte) error {
	var c textLine
	if err := strict(line, &c); err != nil {
		return err
	}
	p, err := open()
	if err != nil {
		return err
	}
	got, err := p.ids(c.Text)
	if err != nil {
		return err
	}
	same(r, "ids", got, c.SPM)
	return nil
}

// modelOf returns a ModelProto of a tokenizer.json with a Unigram model.
func modelOf(file string) ([]byte, error) {
	var t struct {
		Normalizer struct {
			Charsmap []byte `json:"precompiled_charsmap"`
		}
		Model struct {
			Unknown int `json:"unk_id"`
			Vocab   [][2]any
		}
		Added []struct{ ID int } `json:"added_tokens"`
	}
	b, err := os.ReadFile(file)
	if err == nil {
		err = json.Unmarshal(b, &t)
	}
	if err != nil {
		return nil, err
	}
	const normal, unknown, control = 1, 2, 3
	kinds := make([]uint64, len(t.Model.Vocab))
	for _, a := range t.Added {
		if a.ID < len(kinds) {
			kinds[a.ID] = control
		}
	}
	var model []byte
	for i, p := range t.Model.Vocab {
		text, ok1 := p[0].(string)
		score, ok2 := p[1].(float64)
		if !ok1 || !ok2 {
			return nil, fmt.Errorf("%s: piece %d is %v", file, i, p)
		}
		if i == t.Model.Unknown {
			kinds[i] = unknown
		} else if kinds[i] == 0 {
			kinds[i] = normal
		}
		piece := message(nil, 1, []byte(text))
		piece = binary.LittleEndian.AppendUint32(append(piece, 2<<3|5), math.Float32bits(float32(score)))
		piece = binary.AppendUvarint(append(piece, 3<<3), kinds[i])
		model = message(model, 1, piece)
	}
	return message(model, 3, message(nil, 2, t.Normalizer.Charsmap)), nil
}

// message appends a field of bytes to a message of protocol buffers.
func message(dst []byte, field byte, b []byte) []byte {
	return append(binary.AppendUvarint(append(dst, field<<3|2), uint64(len(b))), b...)
}
