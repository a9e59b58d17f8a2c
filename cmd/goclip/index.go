package main

import (
	"errors"
	"fmt"
	"io"

	"github.com/goclip/goclip/index"
)

type indexCommand struct {
	modelFlags
	dataFlags
	leftOutFlag
	uprightFlag
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
	if err := freeLeftOut(c.LeftOut, c.Out+".left-out.jsonl"); err != nil {
		return err
	}
	set, err := c.open(s, nil)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, set.Close()) }()
	s.say("%s: %v", c.Data, set.Seen())
	c.modelFlags.draft, c.modelFlags.upright = c.Draft, &c.Upright
	m, err := c.load(s, need{images: true})
	if err != nil {
		return err
	}
	defer closing(&err, m.Close)
	if c.dataFlags.draft = m.Config().Preprocess.DraftSide(); c.dataFlags.draft > 0 { // only the model knew
		again, err := c.open(s, nil)
		if err != nil {
			return err
		}
		if err := set.Close(); err != nil {
			return errors.Join(err, again.Close())
		}
		set = again
	}
	if err := writable(c.Out); err != nil {
		return err
	}
	photos, skipped, err := index.Build(s, m, s.watch("index", set))
	s.leftOut(skipped)
	if err != nil {
		_, unwritten := s.writeLeftOut(set.Notes(), c.LeftOut, c.Out+".left-out.jsonl")
		return input(errors.Join(err, unwritten))
	}
	if err := photos.SaveWith(c.Out, index.SaveOptions{Overwrite: c.Overwrite}); err != nil {
		return err
	}
	all, err := s.writeLeftOut(set.Notes(), c.LeftOut, c.Out+".left-out.jsonl")
	if err != nil {
		return err
	}
	return s.result(map[string]any{"index": c.Out, "entries": photos.Len(), "left_out": len(skipped), "left_out_file": all, "upright": photos.Upright()}, func(w io.Writer) {
		fmt.Fprintf(w, "%s: %d images, %d left out\n", c.Out, photos.Len(), len(skipped))
	})
}
