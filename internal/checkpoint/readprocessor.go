package checkpoint

import (
	"errors"
	"fmt"
	"io/fs"

	"github.com/goclip/goclip/vision"
)

// ReadPreprocess reads how images are prepared from a folder of transformers, of which
// it needs no weights: its preprocessor_config.json, and where that names no class the
// model_type of its config.json.
func ReadPreprocess(fsys fs.FS) (*vision.Preprocess, error) {
	processor, err := readIn(fsys, hfPreprocessFile)
	if err != nil {
		return nil, err
	}
	var class hfClass
	config, err := readIn(fsys, hfConfigFile)
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return nil, err
	default:
		kind := value(parseObject(config), "model_type", "clip")
		for _, c := range hfClasses() {
			if c.modelType == kind {
				class = c
			}
		}
	}
	return parsePreprocessor(processor, class)
}

// readIn reads a small regular file: a pipe would wait for a writer.
func readIn(fsys fs.FS, name string) ([]byte, error) {
	if info, err := fs.Stat(fsys, name); err == nil && !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s is not a regular file", name)
	}
	file, err := fsys.Open(name)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	return readSmall(file, name)
}
