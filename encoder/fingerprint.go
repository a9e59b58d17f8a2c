package encoder

import (
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"io"
	"slices"

	"github.com/goclip/goclip/nn"
	"github.com/goclip/goclip/text"
	"github.com/goclip/goclip/vision"
)

// Fingerprint returns 64 hexadecimal digits, the SHA-256 of all that the model's
// embeddings depend on: the towers' configurations and weights, adapters too, and
// how pictures are preprocessed. Models of one fingerprint give the same embeddings, whatever
// layout they were loaded from; the temperature and the tokenizer are not part of
// it. It reads every weight, so a large model takes a moment.
func (m *Model) Fingerprint() string {
	h := sha256.New()
	fmt.Fprintf(h, "%s\n%s\n%s\n", visionFacts(m.cfg.Vision), textFacts(m.cfg.Text), preprocessFacts(*m.cfg.Preprocess))
	if m.lora != nil {
		fmt.Fprintf(h, "LoRA %g\n", m.lora.Alpha/float64(m.lora.Rank))
	}
	for _, p := range slices.Concat(m.text.Params(), m.image.Params(), m.Adapters()) {
		fmt.Fprintf(h, "%s %d\n", p.Name, p.Shape)
		writeFloats(h, p.Data)
	}
	return hex.EncodeToString(h.Sum(nil))
}

// visionFacts is the configuration with its defaults, and without the fields that
// do not count.
func visionFacts(c vision.Config) string {
	if c.Stages != nil {
		heads := cmp.Or(c.Heads, c.Width/2)
		return fmt.Sprint("resnet ", c.ImageSize, c.Width, heads, c.EmbedDim, c.Stages)
	}
	mlp := nn.MLPWidth(c.Width, c.MLPRatio)
	c.MLPRatio = 0
	return fmt.Sprintf("vit %+v %d", c, mlp)
}

func textFacts(c text.Config) string {
	mlp := nn.MLPWidth(c.Width, c.MLPRatio)
	c.MLPRatio = 0
	if c.Pool != "eos" && c.Pool != "mean" && c.Mask != "padding" {
		c.EOSTokenID = 0
	}
	return fmt.Sprintf("%+v %d", c, mlp)
}

func preprocessFacts(p vision.Preprocess) string {
	ground := "none"
	if p.Ground != nil {
		r, g, b, a := p.Ground.RGBA()
		ground = fmt.Sprint(r, g, b, a)
	}
	return fmt.Sprint(p.Size, p.Resize.String(), p.Interpolation.String(), p.Mean, p.Std, p.Fill, ground)
}

func writeFloats(w io.Writer, x []float32) {
	var buf [1 << 14]byte
	for part := range slices.Chunk(x, len(buf)/4) {
		n, _ := binary.Encode(buf[:], binary.LittleEndian, part)
		_, _ = w.Write(buf[:n]) // a hash takes everything
	}
}
