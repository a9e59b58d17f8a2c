package encoder

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/goclip/goclip/internal/checkpoint"
	"github.com/goclip/goclip/internal/guard"
	"github.com/goclip/goclip/internal/identity"
)

// Fingerprint returns the identity of all that the model's embeddings depend on: the
// SHA-256, in 64 hexadecimal digits, of the towers' configurations (settings that are
// not zero), the preprocessing and all weights, adapters included. Models with the
// same fingerprint give the same embeddings, whatever layout they were loaded from;
// logit_scale and the tokenizer are not part of it. It reads every weight, so a large
// model takes a moment. A closed model's fingerprint is empty, as is that of a model whose
// custom configuration panics.
func (m *Model) Fingerprint() (id string) {
	end, err := m.begin()
	if err != nil {
		return ""
	}
	defer end()
	err = guard.Call(func() error { // a custom configuration may be asked for its canonical form
		id = m.fingerprint()
		return nil
	})
	if err != nil {
		return ""
	}
	return id
}

func (m *Model) fingerprint() string {
	var about []string
	if m.cfg.Vision != nil {
		about = append(about, "vision "+m.cfg.Vision.Family()+" "+identity.Describe(m.cfg.Vision), "preprocess "+identity.Describe(m.cfg.Preprocess))
	}
	if m.cfg.Text != nil {
		about = append(about, "text "+m.cfg.Text.Family()+" "+identity.Describe(m.cfg.Text))
	}
	return m.digest(strings.Join(about, "\n"))
}

// FirstFingerprint is [Model.Fingerprint] as the first version of this module
// computed it and as indexes of that version store it; empty for a model which that
// version did not support.
func (m *Model) FirstFingerprint() string {
	end, err := m.begin()
	if err != nil {
		return ""
	}
	defer end()
	facts, ok := checkpoint.FirstFacts(m.cfg.Vision, m.cfg.Text, m.cfg.Preprocess)
	if !ok {
		return ""
	}
	return m.digest(facts)
}

// digest is the SHA-256 of a description and the weights.
func (m *Model) digest(about string) string {
	h := sha256.New()
	fmt.Fprintf(h, "%s\n", about)
	if m.lora != nil {
		fmt.Fprintf(h, "LoRA %g\n", m.lora.Alpha/float64(m.lora.Rank))
	}
	for _, p := range slices.Concat(m.textParams(), m.imageParams(), m.Adapters()) {
		fmt.Fprintf(h, "%s %d\n", p.Name, p.Shape)
		if p.Quantized() {
			fmt.Fprintln(h, "int8")
		}
		writeFloats(h, p.Values())
		p.Release()
	}
	return hex.EncodeToString(h.Sum(nil))
}

func writeFloats(w io.Writer, x []float32) {
	var buf [1 << 14]byte
	for part := range slices.Chunk(x, len(buf)/4) {
		n, _ := binary.Encode(buf[:], binary.LittleEndian, part)
		_, _ = w.Write(buf[:n]) // a hash takes everything
	}
}
