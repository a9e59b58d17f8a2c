package checkpoint

import (
	"errors"
	"io/fs"

	"github.com/goclip/goclip/vision"
)

// ReadPreprocess reads how pictures are prepared from a folder of transformers, of which
// it needs no weights: its preprocessor_config.json, and where that names no class the
// model_type of its config.json.
func ReadPreprocess(fsys fs.FS) (*vision.Preprocess, error) {
	file, err := fsys.Open(hfPreprocessFile)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	processor, err := readSmall(file, hfPreprocessFile)
	if err != nil {
		return nil, err
	}
	var class hfClass
	config, err := fsys.Open(hfConfigFile)
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return nil, err
	default:
		defer config.Close()
		b, err := readSmall(config, hfConfigFile)
		if err != nil {
			return nil, err
		}
		kind := value(parseObject(b), "model_type", "clip")
		for _, c := range hfClasses() {
			if c.modelType == kind {
				class = c
			}
		}
	}
	return parsePreprocessor(processor, class)
}
