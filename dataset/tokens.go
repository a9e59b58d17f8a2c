package dataset

import (
	"errors"
	"io"
	"strings"
)

// isToken knows a line of Flickr8k's and Flickr30k's token files: the image, the
// number of the caption, a tab and the caption.
func isToken(text string) bool {
	_, _, ok := cutToken(text)
	return ok
}

func cutToken(text string) (image, caption string, ok bool) {
	name, caption, ok := strings.Cut(text, "\t")
	if !ok {
		return "", "", false
	}
	at := strings.LastIndexByte(name, '#')
	return name[:max(at, 0)], caption, at > 0 && digits(name[at+1:])
}

// tokens calls add for each line of a token file.
func (s *sheet) tokens(r io.Reader) error {
	return s.lines(r, func(text string, next *row) {
		image, caption, ok := cutToken(text)
		if !ok {
			next.err = errors.New("not an image, # with a number, a tab and a caption")
			return
		}
		next.image, next.captions = image, []string{caption}
	})
}
