package checkpoint

import (
	"errors"
	"io/fs"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/goclip/goclip/vision"
)

// TestReadPreprocess: the class that a processor's file leaves out comes from the model's,
// and without either the file is refused.
func TestReadPreprocess(t *testing.T) {
	file := func(s string) *fstest.MapFile { return &fstest.MapFile{Data: []byte(s)} }
	const size = `{"size": {"height": 48, "width": 32}, "do_center_crop": false`
	for _, c := range []struct {
		name  string
		files fstest.MapFS
		want  string // in the error; empty for none
	}{
		{"class", fstest.MapFS{hfPreprocessFile: file(size + `, "image_processor_type": "SiglipImageProcessor"}`)}, ""},
		{"model", fstest.MapFS{hfPreprocessFile: file(size + `}`), hfConfigFile: file(`{"model_type": "siglip"}`)}, ""},
		{"neither", fstest.MapFS{hfPreprocessFile: file(size + `}`)}, `image_processor_type is ""`},
		{"unknown model", fstest.MapFS{hfPreprocessFile: file(size + `}`), hfConfigFile: file(`{"model_type": "new"}`)}, `image_processor_type is ""`},
		{"broken", fstest.MapFS{hfPreprocessFile: file(`{`)}, "unexpected end"},
	} {
		p, err := ReadPreprocess(c.files)
		switch {
		case c.want != "":
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%s: %v, want an error with %q", c.name, err, c.want)
			}
		case err != nil:
			t.Errorf("%s: %v", c.name, err)
		case p.Size != [2]int{48, 32} || p.Resize != vision.ResizeSquash || p.Mean != [3]float32{0.5, 0.5, 0.5}:
			t.Errorf("%s: %+v", c.name, p)
		}
	}
	if _, err := ReadPreprocess(fstest.MapFS{}); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("an empty folder: %v, want fs.ErrNotExist", err)
	}
}
