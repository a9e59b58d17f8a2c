package command

import (
	"bytes"
	"fmt"
	"io"
	"time"

	"github.com/goclip/goclip/dataset"
	"github.com/goclip/goclip/photos"
)

type duplicatesCommand struct {
	filterFlags
	Index    string        `required:"" placeholder:"FILE" help:"Index that goclip index wrote of a folder."`
	Distance int           `default:"6" help:"Bits of 64 in which the looks of two pictures may differ, 1 to 16."`
	Cosine   float64       `default:"0.95" help:"Cosine that the embeddings of such pictures have at least."`
	Burst    time.Duration `default:"10s" help:"Time between two photographs of a burst, at most; 0s for no bursts."`
	Alike    float64       `default:"0.9" help:"Cosine that the embeddings of such photographs have at least."`
	SameFile bool          `help:"Only files that are the same, byte for byte."`
	Print0   bool          `name:"print0" help:"Write the keys alone of all but the first of each group, each with a zero byte behind it, for xargs -0."`
}

func (duplicatesCommand) Help() string {
	return `Of each group of photographs that are alike the first is the one to keep: that of the most pixels, or else of the largest file. Nothing is removed. The likenesses:

  same file   byte for byte
  re-encoded  compressed anew, scaled or turned
  burst       taken within seconds of each other, and alike

    goclip duplicates --index photos.index
    goclip duplicates --index photos.index --burst 0s --path "2024/**" --json
    cd ~/Photos && goclip duplicates --index photos.index --same-file --print0 | xargs -0 ls -l`
}

type alike struct {
	Key      string          `json:"key"`
	Likeness photos.Likeness `json:"likeness"`
	Distance int             `json:"distance"`
	Cosine   float64         `json:"cosine"`
	Width    int             `json:"width"`
	Height   int             `json:"height"`
	Size     int64           `json:"size"`
	Taken    string          `json:"taken,omitempty"`
}

func (c *duplicatesCommand) Run(s *session) (err error) {
	if c.Print0 && s.json {
		return wrong("--print0 and --json are two forms of the result: want one of them")
	}
	o := photos.DuplicateOptions{Distance: c.Distance, Cosine: c.Cosine, Burst: c.Burst, BurstCosine: c.Alike}
	if c.Distance < 1 || c.Distance > 16 || c.Burst < 0 {
		return wrong("--distance %d and --burst %v, want 1 to 16, and a time that is not below 0", c.Distance, c.Burst)
	}
	if c.SameFile {
		o.Distance, o.Burst = -1, -1
	}
	if c.Burst == 0 {
		o.Burst = -1
	}
	for _, v := range []float64{c.Cosine, c.Alike} {
		if !(v > 0 && v <= 1) {
			return wrong("a cosine of %v, want one above 0, to 1", v)
		}
	}
	keep, err := c.keep()
	if err != nil {
		return err
	}
	x, err := photos.Open(c.Index, nil)
	if err != nil {
		return input(err)
	}
	defer closing(&err, x.Close)
	groups, err := photos.Duplicates(s, x, o, keep)
	if err != nil {
		return input(err)
	}
	all, extra := make([][]alike, len(groups)), 0
	var keys bytes.Buffer
	for i, g := range groups {
		for n, d := range g {
			p := d.Photo
			all[i] = append(all[i], alike{d.Key, d.Likeness, d.Distance, d.Cosine, p.Width, p.Height, p.Size, p.Taken})
			if n > 0 {
				keys.WriteString(d.Key + "\x00")
				extra++
			}
		}
	}
	if c.Print0 {
		_, err := s.out.Write(keys.Bytes())
		return err
	}
	return s.result(all, func(w io.Writer) {
		for _, g := range all {
			for n, d := range g {
				likeness := d.Likeness.String()
				if n == 0 {
					likeness = "keep"
				}
				fmt.Fprintf(w, "%s\t%d×%d\t%d bytes\t%s\n", likeness, d.Width, d.Height, d.Size, dataset.Printable(d.Key))
			}
			fmt.Fprintln(w)
		}
		fmt.Fprintf(w, "%d groups; %d images besides the first of each, of %d\n", len(all), extra, x.Len())
	})
}
