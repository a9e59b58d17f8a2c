package dataset

import (
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"
)

// group is the files of one sample that share a key, as in WebDataset.
type group struct {
	key      string
	img      *file
	text     []string // of .txt and .caption
	class    string   // of .cls
	metadata row      // of .json
	others   []string // extensions of the rest
	fault    error
}

// add takes in a file that describes the image, or the error of reading it.
func (g *group) add(ext string, text []byte, err error, o *Options) {
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
	case ext == "cls":
		g.class = string(text)
	case ext != "json":
		g.text = append(g.text, string(text))
	}
}

// stray tells files that were never meant for a sample, such as a README.
func (g *group) stray() bool {
	return g.img == nil && g.fault == nil && len(g.text) == 0 && g.class == "" && len(g.metadata.captions) == 0
}

// finish checks what has been added. Text and class go before metadata.
func (g *group) finish(o *Options) (captions []string, label string, err error) {
	switch {
	case g.fault != nil:
		return nil, "", g.fault
	case g.img == nil && len(g.others) == 0:
		return nil, "", errors.New("no image with this caption")
	case g.img == nil:
		return nil, "", fmt.Errorf("no image: %s is not the extension of one", listed(g.others))
	}
	captions, label = g.text, g.class
	if len(captions) == 0 {
		captions = g.metadata.captions
	}
	if strings.TrimSpace(label) == "" {
		label = g.metadata.label
	}
	return described(captions, label, o)
}
