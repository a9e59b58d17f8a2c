package command

import (
	"fmt"
	"io"
	"os"

	"github.com/goclip/goclip/encoder"
	"github.com/goclip/goclip/internal/output"
)

type convertCommand struct {
	Model     string `arg:"" help:"Model: a folder, a file of weights, or a name (goclip pull --help)."`
	Out       string `required:"" placeholder:"DIR" help:"Folder for the model."`
	Layout    string `default:"open_clip" enum:"open_clip,huggingface,goclip" help:"Whose files it shall have: ${enum}."`
	Dtype     stored `default:"float32" help:"How weights are stored: float32, float16 or bfloat16."`
	Overwrite bool   `help:"Replace another model in --out."`
	Edited    bool   `help:"Accept configuration and tokenizer files that were changed since the model was saved."`
}

func (convertCommand) Help() string {
	return `Writes a model in another layout, for open_clip (its local-dir:) or transformers, or with weights of half the size. All layouts that goclip reads can be converted; what a layout has no place for is an error that names it.

    goclip convert model --layout huggingface --out for-transformers
    goclip convert ViT-B-32/laion2b_s34b_b79k --dtype float16 --out small

Halves are rounded to the nearest. goclip computes in float32 whatever is stored.`
}

func (c *convertCommand) Run(s *session) (err error) {
	if c.Out == "" {
		return wrong("--out is empty")
	}
	if err := output.Free(c.Out, output.Kind{Name: "a model", Folder: true, Is: encoder.Saved}, c.Overwrite || same(c.Out, c.Model)); err != nil {
		return occupied(err)
	}
	m, err := s.model(c.Model, &encoder.Options{Edited: c.Edited})
	if err != nil {
		return err
	}
	defer closing(&err, m.Close)
	if err := m.SaveWith(c.Out, c.Layout, encoder.SaveOptions{Overwrite: c.Overwrite, Precision: c.Dtype.Precision}); err != nil {
		return err
	}
	words := 0
	if tok := m.Tokenizer(); tok != nil {
		words = tok.VocabSize()
	}
	return s.result(map[string]any{"model": c.Out, "layout": c.Layout, "dtype": c.Dtype.Precision, "tokenizer": words}, func(w io.Writer) {
		fmt.Fprintf(w, "model: %s, in the layout of %s, weights as %s\n", c.Out, c.Layout, c.Dtype.Precision)
		if words == 0 {
			fmt.Fprintln(w, "without a tokenizer, since the model has none")
		}
	})
}

// same tells whether two paths are one folder: a model may be written to where it was
// read from, in its own layout.
func same(a, b string) bool {
	one, err := os.Stat(a)
	other, err2 := os.Stat(b)
	return err == nil && err2 == nil && os.SameFile(one, other)
}

// stored is a precision that a file can have.
type stored struct{ encoder.Precision }

// UnmarshalText reads its name.
func (s *stored) UnmarshalText(text []byte) error {
	if err := s.Precision.UnmarshalText(text); err != nil || s.Precision == encoder.Int8 {
		return fmt.Errorf("is %q, want float32, float16 or bfloat16", text)
	}
	return nil
}
