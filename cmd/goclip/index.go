package main

import (
	"fmt"
	"io"

	"github.com/goclip/goclip/index"
)

type indexCommand struct {
	modelFlags
	dataFlags
	draftFlag
	Out       string `required:"" placeholder:"FILE" help:"Index to write."`
	Overwrite bool   `help:"Replace another index. A file that is no index is never replaced."`
}

func (indexCommand) Help() string {
	return `Each image is embedded once; searches then only compare embeddings.

    goclip index  --model model --data photos.csv --out photos.index
    goclip search --model model --index photos.index "a dog on a beach"

Images that cannot be read are reported and left out. The file is written only when it is complete.`
}

func (c *indexCommand) Run(s *session) (err error) {
	if c.Out == "" {
		return wrong("--out is empty, want a file")
	}
	if err := index.Free(c.Out, c.Overwrite); err != nil {
		return occupied(err)
	}
	c.modelFlags.draft = c.Draft
	m, err := c.load(s, need{images: true})
	if err != nil {
		return err
	}
	defer closing(&err, m.Close)
	c.dataFlags.draft = m.Config().Preprocess.DraftSide()
	set, err := c.open(s, nil)
	if err != nil {
		return err
	}
	defer closing(&err, set.Close)
	if err := writable(c.Out); err != nil {
		return err
	}
	photos, skipped, err := index.Build(s, m, s.watch("index", set))
	if err != nil {
		return input(err)
	}
	s.leftOut(skipped)
	if err := photos.SaveWith(c.Out, index.SaveOptions{Overwrite: c.Overwrite}); err != nil {
		return err
	}
	return s.result(map[string]any{"index": c.Out, "entries": photos.Len(), "left_out": len(skipped)}, func(w io.Writer) {
		fmt.Fprintf(w, "%s: %d images, %d left out\n", c.Out, photos.Len(), len(skipped))
	})
}
