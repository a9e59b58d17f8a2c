package dataset

import (
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/goclip/goclip/internal/lists"
)

// group is the files of one sample that share a key, as in WebDataset.
type group struct {
	key      string
	tar      *archive
	files    []sidecar // of text, to be read
	images   []file
	text     []string // of .txt and .caption, one a line
	class    string   // of .cls
	metadata row      // of .json
	others   []string // extensions of the rest
	fault    error
	size     int      // bytes of text
	whole    []string // the texts as they are
	sidecars int
}

// add takes in a file that describes the images, or the error of reading it.
func (g *group) add(ext string, text []byte, err error, o *Options) {
	g.sidecars++
	text = lists.Plain(text)
	if g.size += len(text); err == nil && g.size > maxText {
		err = fmt.Errorf("more than %d bytes of text for one image", maxText)
		g.text, g.whole = nil, nil
	}
	if err == nil && !utf8.Valid(text) {
		err = fmt.Errorf("not valid UTF-8: %.60q", text)
	}
	if err == nil && ext == "json" {
		var fields object
		if fields, err = parseObject(text); err == nil {
			err = fields.describe(o, &g.metadata)
		}
	}
	switch {
	case err != nil && g.fault == nil:
		g.fault = fmt.Errorf(".%s: %w", ext, err)
	case err != nil:
	case ext == "cls":
		g.class = string(text)
	case ext != "json":
		g.whole = append(g.whole, strings.TrimSpace(string(text)))
		g.text = append(g.text, captionLines(text)...)
	}
}

// captionLines are the captions in a text of any program: one a line, as
// CLIP_benchmark's sets and CUB's have several.
func captionLines(text []byte) []string {
	var captions []string
	for line := range strings.Lines(string(lists.Plain(text))) {
		for part := range strings.SplitSeq(line, "\r") {
			if part = strings.TrimSpace(part); part != "" {
				captions = append(captions, part)
			}
		}
	}
	return captions
}

// stray tells files that were never meant for a sample, such as a README.
func (g *group) stray() bool {
	return len(g.images) == 0 && (isNote(g.key+".txt") || g.fault == nil && len(g.text) == 0 && g.class == "" && len(g.metadata.captions) == 0)
}

// said tells whether the files say something of the images. Numbers alone are boxes
// of objects, not captions.
func (g *group) said() bool {
	return g.fault != nil || len(g.text) > 0 && !slices.ContainsFunc(g.text, onlyNumbers) ||
		strings.TrimSpace(g.class) != "" || len(g.metadata.captions) > 0 || g.metadata.label != ""
}

func onlyNumbers(text string) bool {
	return len(strings.Fields(text)) >= 5 && strings.Trim(text, "0123456789.-+eE \t") == ""
}

// finish checks what has been added. Text and class go before metadata.
func (g *group) finish(o *Options) (captions []string, label string, err error) {
	switch {
	case g.fault != nil:
		return nil, "", g.fault
	case len(g.images) == 0 && len(g.others) == 0:
		return nil, "", errors.New("no image with this caption")
	case len(g.images) == 0:
		return nil, "", fmt.Errorf("no image: %s is not the extension of one", listed(g.others))
	}
	captions, label = g.text, g.class
	if len(captions) == 0 {
		captions = g.metadata.captions
	} else if len(g.metadata.captions) == 1 && len(g.whole) == 1 && strings.TrimSpace(g.metadata.captions[0]) == g.whole[0] {
		captions = g.whole // one caption of several lines
	}
	if strings.TrimSpace(label) == "" {
		label = g.metadata.label
	}
	return described(captions, label, o)
}

// keyOf names one of the group's images: by the key where there is one only.
func (g *group) keyOf(img file) string {
	if len(g.images) == 1 {
		return g.key
	}
	return path.Join(path.Dir(g.key), path.Base(img.path))
}
