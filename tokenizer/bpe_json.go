package tokenizer

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"strconv"
)

// LoadJSON reads tokenizer.json of Hugging Face's tokenizers library.
// Of its settings only the vocabulary and the merges are used: captions are
// cleaned as the reference does, which the library does not.
func LoadJSON(r io.Reader, opts BPEOptions) (*BPE, error) {
	v, err := readTokenizerJSON(r)
	if err != nil {
		return nil, err
	}
	return v.tokenizer(opts)
}

// tokenizerJSON is what is read of tokenizer.json.
type tokenizerJSON struct {
	Model struct {
		Type    string          `json:"type"`
		Suffix  string          `json:"end_of_word_suffix"`
		Prefix  string          `json:"continuing_subword_prefix"`
		Unknown string          `json:"unk_token"`
		Vocab   json.RawMessage `json:"vocab"`
		Merges  json.RawMessage `json:"merges"`
	} `json:"model"`
	Added []struct {
		ID      int    `json:"id"`
		Content string `json:"content"`
	} `json:"added_tokens"`
}

func readTokenizerJSON(r io.Reader) (*vocabulary, error) {
	v := newVocabulary(tokenizerFile, 0)
	return v, in(tokenizerFile, v.addTokenizerJSON(r))
}

func (v *vocabulary) addTokenizerJSON(r io.Reader) error {
	data, err := readAll(r)
	if err != nil {
		return err
	}
	var file tokenizerJSON
	if err := json.Unmarshal(data, &file); err != nil {
		return err
	}
	m := file.Model
	if m.Type != "BPE" || m.Suffix != wordEnd || m.Prefix != "" {
		return fmt.Errorf("model has type %q, end_of_word_suffix %q, continuing_subword_prefix %q, want %q, %q, %q, as CLIP",
			m.Type, m.Suffix, m.Prefix, "BPE", wordEnd, "")
	}
	if err := v.addJSON(m.Vocab); err != nil {
		return err
	}
	for _, t := range file.Added {
		if id, ok := v.ids[t.Content]; ok && int(id) == t.ID {
			continue
		}
		if t.ID != len(v.symbols) {
			return fmt.Errorf("added token %q has id %d, want %d, the next one", t.Content, t.ID, len(v.symbols))
		}
		if err := v.add(t.Content); err != nil {
			return err
		}
	}
	v.unknown = m.Unknown
	return v.addJSONMerges(m.Merges)
}

// addJSONMerges adds the merges of tokenizer.json: an array of "left right" or,
// in newer files, of ["left", "right"].
func (v *vocabulary) addJSONMerges(data []byte) error {
	var lines []string
	if json.Unmarshal(data, &lines) == nil {
		for i, line := range lines {
			if err := v.addMergeLine(line); err != nil {
				return fmt.Errorf("merge %d: %w", i+1, err)
			}
		}
		return nil
	}
	var pairs [][]string
	if err := json.Unmarshal(data, &pairs); err != nil {
		return fmt.Errorf("merges: %w", err)
	}
	for i, p := range pairs {
		if len(p) != 2 {
			return fmt.Errorf("merge %d is %q, want two symbols", i+1, p)
		}
		if err := v.addMerge(p[0], p[1]); err != nil {
			return fmt.Errorf("merge %d: %w", i+1, err)
		}
	}
	return nil
}

// addJSON adds the symbols of a JSON object of symbols and ids. It reads token
// by token because a map would hide that a symbol is there twice.
func (v *vocabulary) addJSON(data []byte) error {
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		return fmt.Errorf("vocabulary starts with %v (%v), want an object of symbols and ids", t, err)
	}
	var symbols []numbered
	for d.More() {
		key, err := d.Token()
		if err != nil {
			return fmt.Errorf("after %d symbols: %w", len(symbols), err)
		}
		value, err := d.Token()
		if err != nil {
			return fmt.Errorf("symbol %q: %w", key, err)
		}
		number, _ := value.(json.Number)
		id, err := strconv.Atoi(number.String())
		if err != nil {
			return fmt.Errorf("symbol %q: id is %v, want a whole number", key, value)
		}
		symbols = append(symbols, numbered{key.(string), id})
	}
	if _, err := d.Token(); err != nil {
		return fmt.Errorf("after %d symbols: %w", len(symbols), err)
	}
	return v.addNumbered(symbols)
}
