package command

import (
	"fmt"
	"io"
	"slices"

	"github.com/goclip/goclip/dataset"
	"github.com/goclip/goclip/index"
	"github.com/goclip/goclip/photos"
)

type forgetCommand struct {
	filterFlags
	Index string   `required:"" placeholder:"FILE" help:"Index that goclip index wrote."`
	Keys  []string `arg:"" optional:"" help:"Keys of the images; - reads them from standard input, one a line."`
}

func (forgetCommand) Help() string {
	return `Takes images out of an index, by their keys, or all that fit --path, --after and --before. No image file is removed, and an index of a folder takes in again what is still there when goclip index looks next.

    goclip forget --index photos.index 2024/0123.jpg
    goclip forget --index photos.index --path "screenshots/**"
    goclip search --model model --index photos.index --print0 "a receipt" | xargs -0 goclip forget --index photos.index --`
}

func (c *forgetCommand) Run(s *session) error {
	keep, err := c.keep()
	if err != nil {
		return err
	}
	if len(c.Keys) == 0 && keep == nil {
		return wrong("nothing to forget: give keys, --path, --after or --before")
	}
	named := len(c.Keys) > 0
	if c.Keys, err = s.fromStandardInput(c.Keys); err != nil {
		return err
	}
	missing := map[string]bool{}
	for _, key := range c.Keys {
		missing[key] = true
	}
	gone, err := photos.Forget(c.Index, func(e index.Entry) bool {
		asked := missing[e.Key]
		delete(missing, e.Key)
		return (asked || !named) && (keep == nil || keep(e))
	})
	if err != nil {
		return input(err)
	}
	gone = slices.Clip(gone)
	unknown := []string{}
	for _, key := range c.Keys {
		if missing[key] {
			unknown = append(unknown, key)
			s.warn("%s has no image %s", c.Index, dataset.Printable(key))
		}
	}
	return s.result(map[string]any{"index": c.Index, "forgotten": len(gone), "unknown": unknown}, func(w io.Writer) {
		fmt.Fprintf(w, "%s: %d images forgotten\n", c.Index, len(gone))
	})
}
