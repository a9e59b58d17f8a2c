package tokenizer

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
)

// Save writes the vocabulary into dir as vocab.json and merges.txt, from which
// [LoadCLIP] makes a tokenizer of the same ids. How captions are cleaned
// is not in these files. A vocabulary without symbols for some bytes comes with a
// tokenizer_config.json, which tells transformers what stands for them; it would take the end token.
// Files of these names that say something else are never replaced.
func (b *BPE) Save(dir string) error {
	writers := map[string]func(io.Writer) error{vocabFile: b.writeVocab, mergesFile: b.writeMerges}
	if slices.Contains(b.symbols, unknownToken) {
		writers["tokenizer_config.json"] = writeUnknown
	}
	files := map[string][]byte{}
	for name, write := range writers {
		var text bytes.Buffer
		if err := write(&text); err != nil {
			return fmt.Errorf("tokenizer: %s: %w", name, err)
		}
		files[name] = text.Bytes()
	}
	return saveFiles(dir, files)
}

// writeVocab writes a JSON object in the order of the ids.
func (b *BPE) writeVocab(w io.Writer) error {
	var out strings.Builder
	e := json.NewEncoder(&out)
	e.SetEscapeHTML(false)
	for id, symbol := range b.symbols {
		out.Reset()
		if err := e.Encode(symbol); err != nil {
			return err
		}
		separator := ","
		if id == 0 {
			separator = "{"
		}
		key := strings.TrimSuffix(out.String(), "\n")
		if _, err := fmt.Fprintf(w, "%s%s:%d", separator, key, id); err != nil {
			return err
		}
	}
	_, err := io.WriteString(w, "}\n")
	return err
}

func writeUnknown(w io.Writer) error {
	_, err := fmt.Fprintf(w, "{\n  \"tokenizer_class\": \"CLIPTokenizer\",\n  \"unk_token\": %q\n}\n", unknownToken)
	return err
}

func (b *BPE) writeMerges(w io.Writer) error {
	if _, err := io.WriteString(w, "#version: 0.2\n"); err != nil {
		return err
	}
	for _, m := range b.merges {
		if _, err := fmt.Fprintf(w, "%s %s\n", b.symbols[m.left], b.symbols[m.right]); err != nil {
			return err
		}
	}
	return nil
}
