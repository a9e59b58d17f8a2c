package tokenizer

import (
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"
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
	v := newVocabulary(gzipFile)
	return v, in(gzipFile, v.addGzip(r))
}

func (v *vocabulary) addGzip(r io.Reader) error {
	if r == nil {
		return errNilReader
	}
	unzip, err := gzip.NewReader(r)
	if err != nil {
		return err
	}
	if err := v.addBytes(byteOrder()); err != nil {
		return err
	}
	err = eachLine(unzip, func(n int, line string) error {
		if n == 1 || len(v.merges) == clipMerges {
			return nil
		}
		left, right, err := splitMerge(line)
		if err != nil {
			return err
		}
		if err := v.add(left + right); err != nil {
			return err
		}
		return v.addMerge(left, right)
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
	v := newVocabulary(vocabFile)
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

// eachLine calls f for each line of r, counting from 1, and puts the line's
// number in front of its error.
func eachLine(r io.Reader, f func(n int, line string) error) error {
	data, err := readAll(r)
	if err != nil {
		return err
	}
	n := 0
	for line := range strings.Lines(string(data)) {
		n++
		if err := f(n, strings.TrimRight(line, "\r\n")); err != nil {
			return fmt.Errorf("line %d: %w", n, err)
		}
	}
	return nil
}
