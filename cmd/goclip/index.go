package main

import (
	"fmt"
	"io"

	"github.com/goclip/goclip/dataset"
	"github.com/goclip/goclip/embeddings"
	"github.com/goclip/goclip/encoder"
	"github.com/goclip/goclip/index"
)

type indexCommand struct {
	modelFlags
	dataFlags
	uprightFlag
	draftFlag
	Out       string `required:"" placeholder:"FILE" help:"Index to write."`
	Overwrite bool   `help:"Replace another index. A file that is no index is never replaced."`
}

func (indexCommand) Help() string {
	return `Each image is embedded once; searches then only compare embeddings.

    goclip index  --model model --data photos.csv --out photos.index
    goclip search --model model --index photos.index "a dog on a beach"

A folder of embeddings, of "goclip embed" or of another program (clip-retrieval's, or .npy, .npz, Parquet or JSON lines with vectors), is indexed as it is: they have to be the same model's.

Images that cannot be read are reported and left out. The file is written only when it is complete.`
}

func (c *indexCommand) Run(s *session) (err error) {
	if c.Out == "" {
		return wrong("--out is empty, want a file")
	}
	if err := index.Free(c.Out, c.Overwrite); err != nil {
		return occupied(err)
	}
	c.modelFlags.draft, c.modelFlags.upright = c.Draft, &c.Upright
	m, err := c.load(s, need{images: true})
	if err != nil {
		return err
	}
	defer closing(&err, m.Close)
	if err := writable(c.Out); err != nil {
		return err
	}
	photos, skipped, notes, err := c.build(s, m)
	if err != nil {
		return input(err)
	}
	s.leftOut(skipped)
	if err := photos.SaveWith(c.Out, index.SaveOptions{Overwrite: c.Overwrite}); err != nil {
		return err
	}
	all, err := s.writeLeftOut(notes, c.LeftOut, c.Out+".left-out.jsonl")
	if err != nil {
		return err
	}
	return s.result(map[string]any{"index": c.Out, "entries": photos.Len(), "left_out": len(skipped), "left_out_file": all, "upright": photos.Upright()}, func(w io.Writer) {
		fmt.Fprintf(w, "%s: %d images, %d left out\n", c.Out, photos.Len(), len(skipped))
	})
}

// build makes an index of the set, or of embeddings that there are of one.
func (c *indexCommand) build(s *session, m *encoder.Model) (x *index.Index, skipped []error, notes []dataset.Bad, err error) {
	if embeddings.Is(c.Data) {
		x, skipped, err = indexed(s, c.Data, m)
		return x, skipped, nil, err
	}
	c.dataFlags.draft = m.Config().Preprocess.DraftSide()
	set, err := c.open(s, nil)
	if err != nil {
		return nil, nil, nil, err
	}
	defer closing(&err, set.Close)
	s.say("%s: %v", c.Data, set.Seen())
	x, skipped, err = index.Build(s, m, s.watch("index", set))
	return x, skipped, set.Notes(), err
}
