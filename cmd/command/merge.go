package command

import (
	"errors"
	"fmt"
	"io"

	"github.com/goclip/goclip/index"
	"github.com/goclip/goclip/photos"
)

type mergeCommand struct {
	Out       string   `required:"" placeholder:"FILE" help:"Index to write."`
	Overwrite bool     `help:"Replace another index. A file that is no index is never replaced."`
	Indexes   []string `arg:"" help:"Indexes of one model; of entries with one key the last one counts."`
}

func (mergeCommand) Help() string {
	return `Writes one index of several, for searches in all of them. They have to be of the same model, and of images that were prepared in the same way.

    goclip merge --out all.index photos.index old.index

What comes of it is of no folder: goclip index does not go on with it, and a page shows no photographs of it.`
}

func (c *mergeCommand) Run(s *session) (err error) {
	if c.Out == "" {
		return wrong("--out is empty, want a file")
	}
	if err := index.Free(c.Out, c.Overwrite); err != nil {
		return occupied(err)
	}
	if folder, err := photos.Folder(c.Out); err == nil && folder != "" {
		return wrong("%s is the index of the photographs in %s: want another file", c.Out, folder)
	}
	all, err := photos.Open(c.Indexes[0], nil)
	if err != nil {
		return input(err)
	}
	defer closing(&err, all.Close)
	for _, path := range c.Indexes[1:] {
		if err := c.add(all, path); err != nil {
			return input(err)
		}
	}
	if err := s.Err(); err != nil {
		return err
	}
	if err := all.SaveWith(c.Out, index.SaveOptions{Overwrite: c.Overwrite}); err != nil {
		return err
	}
	return s.result(map[string]any{"index": c.Out, "entries": all.Len()}, func(w io.Writer) {
		fmt.Fprintf(w, "%s: %d images\n", c.Out, all.Len())
	})
}

func (c *mergeCommand) add(all *index.Index, path string) (err error) {
	x, err := photos.Open(path, nil)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, x.Close()) }()
	if _, err := all.Merge(x); err != nil {
		return fmt.Errorf("%s and %s: %w", c.Indexes[0], path, err)
	}
	return nil
}
