package tokenizer

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"

	"github.com/goclip/goclip/internal/inflate"
)

// Names of the files that a tokenizer comes in.
const (
	vocabFile     = "vocab.json"
	mergesFile    = "merges.txt"
	tokenizerFile = "tokenizer.json"
	gzipFile      = "bpe_simple_vocab_16e6.txt.gz"
)

// maxFile bounds what is read of one file, unpacked; CLIP's have 3 MB at most.
const maxFile = 32 << 20

// LoadCLIP loads the tokenizer of a CLIP checkpoint's folder: vocab.json with
// merges.txt, tokenizer.json, or bpe_simple_vocab_16e6.txt.gz. Where there are
// several, they must agree. The error wraps [fs.ErrNotExist] if there is none.
func LoadCLIP(fsys fs.FS, opts BPEOptions) (*BPE, error) {
	if fsys == nil {
		return nil, errors.New("tokenizer: the file system is nil")
	}
	var found *vocabulary
	for _, form := range []struct {
		files []string
		read  func([]io.Reader) (*vocabulary, error)
	}{
		{[]string{vocabFile, mergesFile}, func(f []io.Reader) (*vocabulary, error) { return readVocab(f[0], f[1]) }},
		{[]string{tokenizerFile}, func(f []io.Reader) (*vocabulary, error) { return readTokenizerJSON(f[0]) }},
		{[]string{gzipFile}, func(f []io.Reader) (*vocabulary, error) { return readGzip(f[0]) }},
	} {
		files, err := openAll(fsys, form.files)
		if err != nil {
			return nil, err
		}
		if files == nil {
			continue
		}
		v, err := form.read(files)
		closeAll(files)
		if err != nil {
			return nil, err
		}
		if found == nil {
			found = v
		} else if err := found.same(v); err != nil {
			return nil, fmt.Errorf("tokenizer: %s and %s disagree: %w", found.source, v.source, err)
		}
	}
	if found == nil {
		return nil, fmt.Errorf("tokenizer: no tokenizer, want %s with %s, %s or %s: %w",
			vocabFile, mergesFile, tokenizerFile, gzipFile, fs.ErrNotExist)
	}
	return found.tokenizer(opts)
}

// openAll opens all of the named files. It returns nothing if none of them
// exists, and an error if only some do.
func openAll(fsys fs.FS, names []string) ([]io.Reader, error) {
	var files []io.Reader
	var missing string
	for _, name := range names {
		f, err := fsys.Open(name)
		switch {
		case err == nil:
			files = append(files, f)
		case errors.Is(err, fs.ErrNotExist):
			missing = name
		default:
			closeAll(files)
			return nil, fmt.Errorf("tokenizer: %w", err)
		}
	}
	if missing != "" && files != nil {
		closeAll(files)
		return nil, fmt.Errorf("tokenizer: %s is missing, of %s", missing, strings.Join(names, " and "))
	}
	return files, nil
}

func closeAll(files []io.Reader) {
	for _, f := range files {
		f.(fs.File).Close()
	}
}

// LoadBPE reads the vocabulary that openai/CLIP and open_clip ship, a list of
// merges compressed with gzip. As there, the first line is skipped and no more
// than 48,894 merges are used.
func LoadBPE(r io.Reader, opts BPEOptions) (*BPE, error) {
	v, err := readGzip(r)
	if err != nil {
		return nil, err
	}
	return v.tokenizer(opts)
}

// clipMerges is how many lines of its vocabulary file CLIP uses.
const clipMerges = 49152 - 256 - 2

func readGzip(r io.Reader) (*vocabulary, error) {
	v := newVocabulary(gzipFile, clipMerges+2*256+2)
	return v, in(gzipFile, v.addGzip(r))
}

func (v *vocabulary) addGzip(r io.Reader) error {
	if r == nil {
		return errNilReader
	}
	data, err := readAll(r)
	if err != nil {
		return err
	}
	unzip, err := inflate.NewGzip(data)
	if err != nil {
		return err
	}
	if err := v.addBytes(byteOrder()); err != nil {
		return err
	}
	err = eachLine(unzip, func(n int, line string) error {
		if n == 1 {
			return nil
		}
		if len(v.merges) == clipMerges {
			return errEnough
		}
		left, right, err := splitMerge(line)
		if err != nil {
			return err
		}
		joined := int32(len(v.symbols))
		if err := v.add(left + right); err != nil {
			return err
		}
		return v.addMergeInto(left, right, joined)
	})
	if err != nil {
		return err
	}
	names := OpenAISpecials.names()
	return v.add(names[:]...)
}

// LoadVocab reads a vocabulary in Hugging Face's form: vocab.json, an object of
// symbols and their ids, and merges.txt.
func LoadVocab(vocab, merges io.Reader, opts BPEOptions) (*BPE, error) {
	v, err := readVocab(vocab, merges)
	if err != nil {
		return nil, err
	}
	return v.tokenizer(opts)
}

func readVocab(vocab, merges io.Reader) (*vocabulary, error) {
	v := newVocabulary(vocabFile, 0)
	data, err := readAll(vocab)
	if err == nil {
		err = v.addJSON(data)
	}
	if err != nil {
		return nil, in(vocabFile, err)
	}
	return v, in(mergesFile, v.addMerges(merges))
}

// addMerges adds the lines of merges.txt, the first of which may be a version.
func (v *vocabulary) addMerges(r io.Reader) error {
	return eachLine(r, func(n int, line string) error {
		if n == 1 && strings.HasPrefix(line, "#version") {
			return nil
		}
		return v.addMergeLine(line)
	})
}

var errNilReader = errors.New("the reader is nil")

// readAll reads r to its end, but no more than maxFile bytes.
func readAll(r io.Reader) ([]byte, error) {
	if r == nil {
		return nil, errNilReader
	}
	data, err := io.ReadAll(io.LimitReader(r, maxFile+1))
	if err == nil && len(data) > maxFile {
		err = fmt.Errorf("more than %d bytes", maxFile)
	}
	return data, err
}

// errEnough ends [eachLine] as if there were no more lines. What follows is read all the same, so that
// the sum of a compressed file is known to be right.
var errEnough = errors.New("enough lines")

// eachLine calls f for each line of r, counting from 1, up to the first error, and puts the
// line's number in front of it. Lines are dealt with while the next are read, which for
// compressed ones takes as long.
func eachLine(r io.Reader, f func(n int, line string) error) error {
	if r == nil {
		return errNilReader
	}
	pieces, done := make(chan []byte, maxFile/pieceLen), make(chan error, 1)
	go func() { done <- linesOf(pieces, f) }()
	read := func() error {
		defer close(pieces)
		return inPieces(r, pieces)
	}()
	return cmp.Or(read, <-done)
}

const pieceLen = 1 << 16

// inPieces sends r to its end, but no more than maxFile bytes.
func inPieces(r io.Reader, pieces chan<- []byte) error {
	for left := maxFile; ; {
		piece := make([]byte, pieceLen)
		n, err := 0, error(nil)
		for n < len(piece) && err == nil {
			var more int
			more, err = r.Read(piece[n:])
			n += more
		}
		if left -= n; left < 0 {
			return fmt.Errorf("more than %d bytes", maxFile)
		}
		pieces <- piece[:n]
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// linesOf is [eachLine] of text that is cut anywhere. It takes all pieces.
func linesOf(pieces <-chan []byte, f func(n int, line string) error) (err error) {
	n := 0
	each := func(text []byte) {
		for line := range strings.Lines(string(text)) {
			n++
			if err = f(n, strings.TrimRight(line, "\r\n")); err != nil {
				err = fmt.Errorf("line %d: %w", n, err)
				return
			}
		}
	}
	var begun []byte // a line
	for piece := range pieces {
		if err != nil {
			continue
		}
		end := bytes.LastIndexByte(piece, '\n') + 1
		if end > 0 {
			each(append(begun, piece[:end]...))
			begun = nil
		}
		begun = append(begun, piece[end:]...)
	}
	if err == nil {
		each(begun)
	}
	if errors.Is(err, errEnough) {
		return nil
	}
	return err
}
