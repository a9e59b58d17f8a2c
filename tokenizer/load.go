package tokenizer

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"strconv"
)

// Names of more files that tokenizers come in.
const (
	wordsFile    = "vocab.txt"
	encodingFile = "encoding.json"
	ranksSuffix  = ".tiktoken"
)

// maxTokenizerFile bounds what is read of one file; the largest that is published, of 900
// thousand pieces, has 60 MB.
const maxTokenizerFile = 256 << 20

// Load loads the tokenizer of a folder: of tokenizer.json; or vocab.txt, BERT's; or
// vocab.json with merges.txt, RoBERTa's; or encoding.json with the ranks of tiktoken that
// it names. The first that is there counts. The error wraps [fs.ErrNotExist] if there is
// none.
//
// CLIP's own tokenizer, which cleans captions as no file says, is loaded by [LoadCLIP].
func Load(fsys fs.FS) (*Pipeline, error) {
	if fsys == nil {
		return nil, errors.New("tokenizer: the file system is nil")
	}
	for _, form := range []struct {
		file string
		read func(fsys fs.FS, data []byte) (*Pipeline, error)
	}{
		{tokenizerFile, func(_ fs.FS, data []byte) (*Pipeline, error) { return readTokenizer(data) }},
		{wordsFile, func(_ fs.FS, data []byte) (*Pipeline, error) { return readWords(data) }},
		{vocabFile, readVocabAndMerges},
		{encodingFile, readTiktoken},
	} {
		data, err := readFile(fsys, form.file)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		var p *Pipeline
		if err == nil {
			p, err = form.read(fsys, data)
		}
		return p, in(form.file, err)
	}
	return nil, fmt.Errorf("tokenizer: no tokenizer, want %s, %s, %s with %s, or %s: %w",
		tokenizerFile, wordsFile, vocabFile, mergesFile, encodingFile, fs.ErrNotExist)
}

// readFile reads a file at once, so that no memory is taken twice.
func readFile(fsys fs.FS, name string) ([]byte, error) {
	f, err := fsys.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s is no file", name)
	}
	if info.Size() > maxTokenizerFile {
		return nil, fmt.Errorf("%d bytes, want at most %d", info.Size(), maxTokenizerFile)
	}
	data := make([]byte, info.Size())
	n, err := io.ReadFull(f, data)
	if errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) {
		err = nil
	}
	return data[:n], err
}

// readWords makes BERT's tokenizer of its list of tokens, one a line: lower-cased, as all
// of the published models are that ship nothing but the list.
func readWords(data []byte) (*Pipeline, error) {
	l, err := readLines(data)
	if err != nil {
		return nil, err
	}
	m, err := newWordPiece(l, "[UNK]", "##", 100)
	if err != nil {
		return nil, err
	}
	var added []addedToken
	for _, name := range []string{"[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"} {
		if _, ok := l.id(name); !ok {
			return nil, fmt.Errorf("no line is %s", name)
		}
		added = append(added, addedToken{content: name, special: true})
	}
	p, err := newPipeline(m, bertNormalizer{clean: true, ideographs: true, accents: true, lower: true}, added)
	if err != nil {
		return nil, err
	}
	special := func(name string, kind int32) templatePart {
		id, _ := l.id(name)
		return templatePart{kind: kind, tokens: []Token{{ID: id, Text: name, Type: kind, Special: true}}}
	}
	single := []templatePart{special("[CLS]", 0), {text: 0}, special("[SEP]", 0)}
	p.pre = bertWords()
	p.post = template{single, append(single[:3:3], templatePart{text: 1, kind: 1}, special("[SEP]", 1))}
	p.decoder = decodeWordPiece{"##", true}
	return p, nil
}

// readLines reads tokens, one a line, whose ids are the lines' numbers from 0. Of equal
// lines, as those that hold but white space are, the last counts.
func readLines(data []byte) (*lexicon, error) {
	last, n := map[string]int32{}, int32(0)
	for line := range bytes.Lines(data) {
		last[string(bytes.TrimRightFunc(line, isSpace))] = n
		n++
	}
	b := newLexiconBuilder(2 * len(data))
	n = 0
	for line := range bytes.Lines(data) {
		if word := bytes.TrimRightFunc(line, isSpace); last[string(word)] == n {
			b.add(word, n)
		}
		n++
	}
	return b.build()
}

// readVocabAndMerges makes RoBERTa's tokenizer of the files that GPT-2's descendants ship.
func readVocabAndMerges(fsys fs.FS, data []byte) (*Pipeline, error) {
	s := &scanner{data: data}
	l, err := readVocabulary(s)
	if err == nil {
		err = s.end()
	}
	if err != nil {
		return nil, err
	}
	merges, err := readMergeLines(fsys, l)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", mergesFile, err)
	}
	ends := map[string]Token{}
	var added []addedToken
	for _, name := range []string{"<s>", "<pad>", "</s>", "<unk>", "<mask>"} {
		id, ok := l.id(name)
		if !ok {
			return nil, fmt.Errorf("there is no token %s", name)
		}
		ends[name] = Token{ID: id, Text: name, Special: true}
		added = append(added, addedToken{content: name, special: true, normalized: name != "<mask>", left: name == "<mask>"})
	}
	p, err := newPipeline(newBytePairs(l, merges, pairOptions{}), nil, added)
	if err != nil {
		return nil, err
	}
	if p.pre, err = newByteLevel(false, true); err != nil {
		return nil, err
	}
	p.post = robertaProcessor{cls: ends["<s>"], sep: ends["</s>"], trim: true}
	p.decoder = decodeBytes{}
	return p, nil
}

func readMergeLines(fsys fs.FS, l *lexicon) (merges []mergeSlot, err error) {
	data, err := readFile(fsys, mergesFile)
	if err != nil {
		return nil, err
	}
	r := newMergeReader(l, "", len(data))
	number := 0
	for line := range bytes.Lines(data) {
		number++
		line = bytes.TrimRight(line, "\r\n")
		if bytes.HasPrefix(line, []byte("#version")) {
			continue
		}
		left, right, err := splitMerge(string(line))
		if err == nil {
			err = r.add([]byte(left), []byte(right))
		}
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", number, err)
		}
	}
	return r.merges()
}

// readTiktoken makes a tokenizer of tiktoken's ranks, with the expression and the special
// tokens that encoding.json says: {"pat_str": …, "ranks": file, "special_tokens": {…}}.
func readTiktoken(fsys fs.FS, data []byte) (*Pipeline, error) {
	m, err := readSettings(data)
	if err != nil {
		return nil, err
	}
	expr, err := get(m, "pat_str", aString)
	if err != nil {
		return nil, err
	}
	cut, err := newPattern(expr, true)
	if err != nil {
		return nil, err
	}
	name, err := get(m, "ranks", aString)
	if err != nil {
		return nil, err
	}
	if path.Ext(name) != ranksSuffix || path.Base(name) != name {
		return nil, fmt.Errorf("ranks is %.40q, want a file named *%s beside it", name, ranksSuffix)
	}
	ranks, err := readRanks(fsys, name)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	special, err := get(m, "special_tokens", readNumbered)
	if err != nil {
		return nil, err
	}
	p, err := newPipeline(ranks, nil, nil)
	if err != nil {
		return nil, err
	}
	for _, t := range special {
		if _, taken := ranks.token(t.id); taken || t.content == "" {
			return nil, fmt.Errorf("special token %.40q has id %d, which is taken", t.content, t.id)
		}
		p.added.set(t)
	}
	if p.added.raw, err = p.added.finder(false); err != nil {
		return nil, err
	}
	p.pre = splitPattern{cut, removed, true}
	p.decoder = decodeRaw{}
	return p, nil
}

// readNumbered reads special tokens with their ids.
func readNumbered(s *scanner) (all []addedToken, err error) {
	err = s.object(func(key []byte) error {
		name := string(key)
		id, err := s.natural()
		if len(name) > maxAdded {
			return fmt.Errorf("token %.20q has %d bytes, want at most %d", name, len(name), maxAdded)
		}
		all = append(all, addedToken{id: id, content: name, matched: name, special: true})
		return err
	})
	return all, err
}

// readRanks reads lines of a token in base64 and its rank.
func readRanks(fsys fs.FS, name string) (*bytePairs, error) {
	data, err := readFile(fsys, name)
	if err != nil {
		return nil, err
	}
	b := newLexiconBuilder(len(data))
	number := 0
	for line := range bytes.Lines(data) {
		number++
		line = bytes.TrimRight(line, "\r\n")
		if len(line) == 0 {
			continue
		}
		coded, rank, _ := bytes.Cut(line, []byte{' '})
		id, err := strconv.ParseUint(string(rank), 10, 31)
		if err != nil {
			return nil, fmt.Errorf("line %d: rank %.20q is no number", number, rank)
		}
		token, err := base64.StdEncoding.AppendDecode(nil, coded)
		if err != nil || len(token) == 0 {
			return nil, fmt.Errorf("line %d: %.20q is no token in base64", number, coded)
		}
		b.add(token, int32(id))
	}
	l, err := b.build()
	if err != nil {
		return nil, err
	}
	return newRanked(l)
}
