package tokenizer

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/goclip/goclip/internal/golden"
)

// BenchmarkCaptions encodes the captions of the reference's own benchmark, with the offsets
// of all tokens and as ids alone. A vocabulary that is not stored beside them, Gemma's, is
// looked for below GOCLIP_VOCABULARIES.
func BenchmarkCaptions(b *testing.B) {
	shared := golden.Shared(b)
	data, err := os.ReadFile(filepath.Join(shared, "tokenizers", "captions-10k.txt"))
	if err != nil {
		b.Fatal(err)
	}
	captions := strings.Split(strings.TrimSpace(string(data)), "\n")
	for _, name := range []string{"t5-small", "gemma-256k", "bert-base-uncased", "roberta-base", "cl100k_base"} {
		dir := filepath.Join(shared, "tokenizers", name)
		if name == "gemma-256k" {
			dir = filepath.Join(os.Getenv("GOCLIP_VOCABULARIES"), name)
		}
		p, err := Load(os.DirFS(dir))
		if err != nil {
			b.Logf("%s: %v", name, err)
			continue
		}
		b.Run(name+"/ids", func(b *testing.B) {
			var ids []int32
			b.ReportAllocs()
			n := 0
			for b.Loop() {
				n = 0
				for _, c := range captions {
					if ids, err = p.IDs(ids[:0], c, true); err != nil {
						b.Fatal(err)
					}
					n += len(ids)
				}
			}
			report(b, n, len(captions))
		})
		b.Run(name+"/offsets", func(b *testing.B) {
			n := 0
			for b.Loop() {
				n = 0
				for _, c := range captions {
					e, err := p.Encode(c)
					if err != nil {
						b.Fatal(err)
					}
					n += len(e.Tokens)
				}
			}
			report(b, n, len(captions))
		})
	}
}

func report(b *testing.B, tokens, captions int) {
	seconds := b.Elapsed().Seconds() / float64(b.N)
	b.ReportMetric(float64(tokens)/seconds/1e6, "Mtokens/s")
	b.ReportMetric(seconds/float64(captions)*1e6, "µs/caption")
}

// BenchmarkLoad reads tokenizers, of which the largest has 256 thousand tokens.
func BenchmarkLoad(b *testing.B) {
	for _, name := range []string{"gemma-256k", "roberta-base", "t5-small", "bert-base-uncased"} {
		dir := filepath.Join(golden.Shared(b), "tokenizers", name)
		if name == "gemma-256k" {
			dir = filepath.Join(os.Getenv("GOCLIP_VOCABULARIES"), name)
		}
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := Load(os.DirFS(dir)); err != nil {
					b.Skip(err)
				}
			}
		})
	}
}
