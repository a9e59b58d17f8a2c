package tokenizer

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"unicode/utf8"
)

// fastModel is how transformers makes a tokenizer for the tokenizers library of a
// SentencePiece model that lies alone in a folder.
type fastModel struct {
	*SentencePiece
	class  Class
	config *classConfig
	pieces []scored
	unk    int
	added  []addedToken
}

// sentencePieceFiles are the names of models, with the class that ships each.
func sentencePieceFiles() []struct {
	name  string
	class Class
} {
	return []struct {
		name  string
		class Class
	}{{"spiece.model", ClassT5}, {"sentencepiece.bpe.model", ClassXLMRoberta}, {"tokenizer.model", ClassGemma}}
}

// loadSentencePiece reads the model of a folder. It returns nil where there is none.
func (c *classConfig) loadSentencePiece(fsys fs.FS) (*Pipeline, error) {
	for _, f := range sentencePieceFiles() {
		data, err := readFile(fsys, f.name)
		if err != nil {
			if _, gone := fs.Stat(fsys, f.name); gone != nil {
				continue
			}
			return nil, in(f.name, err)
		}
		s, err := newSentencePiece(data)
		if err != nil {
			return nil, in(f.name, err)
		}
		m := &fastModel{SentencePiece: s, class: c.class, config: c}
		if m.class == ClassPlain {
			m.class = f.class
			if s.algorithm == spmBPE && f.class == ClassXLMRoberta {
				m.class = ClassNLLB
			}
		}
		p, err := m.pipeline()
		return p, in(f.name, err)
	}
	return nil, nil
}

func (m *fastModel) pipeline() (*Pipeline, error) {
	if len(m.SentencePiece.pieces) < 4 {
		return nil, fmt.Errorf("%d pieces, want 4 or more", len(m.SentencePiece.pieces))
	}
	m.vocabulary()
	model, err := m.model()
	if err != nil {
		return nil, err
	}
	parts := settings{}
	if m.gemma() {
		parts["normalizer"] = []byte(`{"type": "Replace", "pattern": {"String": " "}, "content": "▁"}`)
		parts["pre_tokenizer"] = []byte(`{"type": "Split", "pattern": {"String": " "}, "behavior": "MergedWithPrevious", "invert": false}`)
		parts["decoder"] = []byte(`{"type": "Sequence", "decoders": [{"type": "Replace", "pattern": {"String": "▁"}, "content": " "},
			{"type": "ByteFallback"}, {"type": "Fuse"}]}`)
	} else {
		const metaspace = `{"type": "Metaspace", "replacement": "▁", "prepend_scheme": "always", "split": true}`
		parts["pre_tokenizer"], parts["decoder"] = []byte(metaspace), []byte(metaspace)
		if m.algorithm == spmUnigram {
			parts["pre_tokenizer"] = []byte(`{"type": "Sequence", "pretokenizers": [{"type": "WhitespaceSplit"}, ` + metaspace + `]}`)
		} else {
			parts["normalizer"] = []byte(`{"type": "Sequence", "normalizers": [{"type": "Strip", "strip_left": false, "strip_right": true},
				{"type": "Replace", "pattern": {"Regex": " {2,}"}, "content": "▁"}]}`)
		}
	}
	p, err := assemble(parts, model, m.added)
	if err != nil {
		return nil, err
	}
	if p.post, err = m.around(p); err != nil {
		return nil, err
	}
	if m.gemma() || len(m.normalizer.charsmap) == 0 {
		return p, nil
	}
	n, err := newPrecompiled(m.normalizer.charsmap)
	if err != nil {
		return nil, err
	}
	if p.normalizer != nil {
		n = normalizers{n, p.normalizer}
	}
	return p.withNormalizer(n)
}

func (m *fastModel) gemma() bool { return m.class == ClassGemma || m.class == ClassSiglip2 }

// vocabulary numbers the pieces, and lists the tokens that are found before the model.
func (m *fastModel) vocabulary() {
	for _, p := range m.SentencePiece.pieces {
		m.pieces = append(m.pieces, scored{p.text, float64(p.score)})
		if special := p.kind == spmControl || p.text == "<start_of_turn>" || p.text == "<end_of_turn>"; special || p.kind == spmUserDefined {
			m.added = append(m.added, addedToken{content: p.text, special: special})
		}
	}
	special := func(names ...string) {
		for _, name := range names {
			m.added = append(m.added, addedToken{content: name, special: true, left: name == "<mask>", normalized: name == "<mask>"})
		}
	}
	m.unk = int(m.SentencePiece.unk)
	switch {
	case m.gemma():
		for i, name := range []string{"<pad>", "<eos>", "<bos>"} {
			m.pieces[i] = scored{name, 0}
		}
		m.tab()
		special("<bos>", "<eos>", "<unk>", "<pad>")
	case m.class == ClassXLMRoberta || m.class == ClassNLLB: // as fairseq numbers them
		m.unk = 3
		m.pieces = append([]scored{{"<s>", 0}, {"<pad>", 0}, {"</s>", 0}, {"<unk>", 0}}, m.pieces[3:]...)
		special("<s>", "<pad>", "</s>", "<unk>")
		if m.class == ClassXLMRoberta {
			m.pieces = append(m.pieces, scored{"<mask>", 0})
		}
		special("<mask>")
		if m.class == ClassNLLB {
			special(strings.Fields(nllbLanguages)...)
		}
	default:
		special(siglipEnd, m.SentencePiece.pieces[m.unk].text, "<pad>")
		for i := m.config.extra - 1; i >= 0; i-- {
			m.pieces = append(m.pieces, scored{fmt.Sprintf("<extra_id_%d>", i), 0})
			special(m.pieces[len(m.pieces)-1].piece)
		}
	}
	if len(m.config.added) > 0 {
		m.added = m.config.added
	}
}

// tab makes the piece of the byte 9 the tabulator, which Gemma's first vocabulary lacked.
func (m *fastModel) tab() {
	if slices.ContainsFunc(m.pieces, func(p scored) bool { return p.piece == "\t" }) {
		return
	}
	if i := slices.IndexFunc(m.pieces, func(p scored) bool { return p.piece == bytePiece('\t') }); i >= 0 {
		m.pieces[i] = scored{"\t", 0}
	}
}

func (m *fastModel) model() (model, error) {
	if m.algorithm == spmUnigram {
		return newUnigram(m.pieces, m.unk, false)
	}
	size := 0
	for _, p := range m.pieces {
		size += len(p.piece)
	}
	b := newLexiconBuilder(size)
	for i, p := range m.pieces {
		b.add([]byte(p.piece), int32(i))
	}
	l, err := b.build()
	if err != nil {
		return nil, err
	}
	for i, p := range m.pieces {
		if len(p.piece) > maxMerged {
			return nil, fmt.Errorf("piece %d, %.40q, has %d bytes, want at most %d", i, p.piece, len(p.piece), maxMerged)
		}
	}
	o := pairOptions{unknown: m.unkPiece, fuse: true, byteFallback: m.gemma()}
	return newBytePairs(l, m.merges(), o), nil
}

// maxMerged bounds the pieces that are merged, so that finding all ways to do it takes a
// time that grows as the file does.
const maxMerged = 1 << 10

// merges are all ways to join two pieces to a third, those with the greatest score first:
// what sentencepiece decides by scores, the tokenizers library does by this order.
func (m *fastModel) merges() []mergeSlot {
	type way struct {
		mergeSlot
		score       float64
		left, right int // characters
	}
	keys := make([]string, len(m.pieces))
	for i, p := range m.pieces {
		keys[i] = p.piece
	}
	trie := newPrefixTrie(keys)
	var ways []way
	for id, piece := range keys {
		first, n := len(ways), utf8.RuneCountInString(piece)
		node, left := int32(0), 0
		for at := range len(piece) - 1 {
			if node = trie.step(node, piece[at]); node < 0 {
				break
			}
			if utf8.RuneStart(piece[at]) {
				left++
			}
			a := trie.nodes[node].value
			if a < 0 || !utf8.RuneStart(piece[at+1]) {
				continue
			}
			if b := trie.find(piece[at+1:]); b >= 0 {
				ways = append(ways, way{mergeSlot{pair: pairOf(a, b), joined: int32(id)}, m.pieces[id].score, left, n - left})
			}
		}
		slices.SortStableFunc(ways[first:], func(a, b way) int { return cmp.Compare(a.pair, b.pair) })
	}
	slices.SortStableFunc(ways, func(a, b way) int {
		return cmp.Or(cmp.Compare(b.score, a.score), cmp.Compare(b.left, a.left), cmp.Compare(b.right, a.right))
	})
	merges := make([]mergeSlot, len(ways))
	for i, w := range ways {
		merges[i] = w.mergeSlot
		merges[i].rank = int32(i)
	}
	return merges
}

// around returns what the class puts around texts.
func (m *fastModel) around(p *Pipeline) (postProcessor, error) {
	names := map[Class][2]string{ClassXLMRoberta: {"<s>", "</s>"}, ClassNLLB: {m.config.language, "</s>"}, ClassT5: {"", "</s>"}}[m.class]
	if m.class == ClassSiglip2 || m.class == ClassGemma && m.config.end {
		names[1] = "<eos>"
	}
	if m.class == ClassGemma && m.config.begin {
		names[0] = "<bos>"
	}
	var err error
	token := func(name string, kind int) []any {
		if name == "" {
			return nil
		}
		if _, ok := p.ID(name); !ok && err == nil {
			err = fmt.Errorf("there is no token %q, which is to stand around texts", name)
		}
		return []any{map[string]any{"SpecialToken": map[string]any{"id": name, "type_id": kind}}}
	}
	text := func(name string, kind int) []any {
		return []any{map[string]any{"Sequence": map[string]any{"id": name, "type_id": kind}}}
	}
	single := slices.Concat(token(names[0], 0), text("A", 0), token(names[1], 0))
	pair := slices.Concat(single, text("B", 0), token(names[1], 0))
	switch m.class {
	case ClassXLMRoberta:
		pair = slices.Concat(single, token(names[1], 0), text("B", 0), token(names[1], 0))
	case ClassNLLB:
		pair = slices.Concat(token(names[0], 0), text("A", 0), text("B", 0), token(names[1], 0))
	case ClassGemma, ClassSiglip2:
		pair = slices.Concat(single, token(names[0], 1), text("B", 1), token(names[1], 1))
	}
	if err != nil {
		return nil, err
	}
	special := map[string]any{}
	for _, name := range names {
		if id, ok := p.ID(name); ok && name != "" {
			special[name] = map[string]any{"id": name, "ids": []int32{id}, "tokens": []string{name}}
		}
	}
	data, err := json.Marshal(map[string]any{"type": "TemplateProcessing", "single": single, "pair": pair, "special_tokens": special})
	if err != nil {
		return nil, err
	}
	return read(settings{"post_processor": data}, "post_processor", readPostProcessor)
}
