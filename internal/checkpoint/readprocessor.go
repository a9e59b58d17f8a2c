package checkpoint

import (
	"errors"
	"fmt"
	"io/fs"

	"github.com/goclip/goclip/vision"
)

// ReadPreprocess reads how images are prepared from a folder of transformers, of which
// it needs no weights: what its processor_config.json has under image_processor, or else
// its preprocessor_config.json; and where that names no class the model_type of its
// config.json.
func ReadPreprocess(fsys fs.FS) (*vision.Preprocess, error) {
	o, name, err := processorObject(func(name string) ([]byte, error) { return readIn(fsys, name) })
	if err != nil {
		return nil, err
	}
	modelType := ""
	config, err := readIn(fsys, hfConfigFile)
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return nil, err
	default:
		modelType = value(parseObject(config), "model_type", "clip")
	}
	p, err := parsePreprocessor(o, modelType)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return p, nil
}

// processorObject finds the configuration of an image processor among files, and the name
// of the file that has it. It fails with [fs.ErrNotExist] where there is none.
func processorObject(read func(name string) ([]byte, error)) (o *object, name string, err error) {
	text, err := read(hfProcessorFile)
	if err == nil {
		if o = parseObject(text); o.err() != nil {
			return nil, "", fmt.Errorf("%s: %w", hfProcessorFile, o.err())
		}
		if o.has("image_processor") {
			in := o.object("image_processor")
			in.path = ""
			return in, hfProcessorFile, nil
		}
	} else if !errors.Is(err, fs.ErrNotExist) {
		return nil, "", err
	}
	if text, err = read(hfPreprocessFile); err != nil {
		return nil, "", err
	}
	return parseObject(text), hfPreprocessFile, nil
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
