package command

import (
	"bytes"
	"errors"
	"fmt"
	"image"
	"io"
	"os"

	"github.com/goclip/goclip/vision"
)

// standardInput is the argument that stands for it.
const standardInput = "-"

// picture decodes an image file, or standard input.
func (s *session) picture(file string, o *vision.DecodeOptions) (image.Image, error) {
	if file != standardInput {
		return vision.DecodeFile(file, o)
	}
	img, err := vision.DecodeContext(s, s.in, o)
	if err != nil {
		return nil, fmt.Errorf("standard input: %w", err)
	}
	return img, nil
}

// openFile opens a regular file, since a pipe would wait for a writer, or standard input.
func openFile(path string) (io.ReadCloser, error) {
	if path == standardInput {
		return io.NopCloser(os.Stdin), nil
	}
	if info, err := os.Stat(path); err == nil && !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s is not a regular file", path)
	}
	return os.Open(path)
}

// fromStandardInput puts the lines of standard input in the place of an argument -.
func (s *session) fromStandardInput(args []string) ([]string, error) {
	var all []string
	read := false
	for _, a := range args {
		if a != standardInput {
			all = append(all, a)
			continue
		}
		if read {
			return nil, wrong("- is there twice: standard input can be read once")
		}
		read = true
		lines, err := linesOf(s.in)
		if err != nil {
			return nil, input(fmt.Errorf("standard input: %w", err))
		}
		all = append(all, lines...)
	}
	if read && len(all) == 0 {
		return nil, input(errors.New("standard input is empty"))
	}
	return all, nil
}

// maxInput bounds lists that are read from standard input.
const maxInput = 64 << 20

func linesOf(r io.Reader) ([]string, error) {
	data, err := io.ReadAll(io.LimitReader(r, maxInput+1))
	switch {
	case err != nil:
		return nil, err
	case len(data) > maxInput:
		return nil, fmt.Errorf("more than %d bytes", maxInput)
	}
	var lines []string
	for line := range bytes.Lines(data) {
		if line = bytes.TrimSpace(line); len(line) > 0 {
			lines = append(lines, string(line))
		}
	}
	return lines, nil
}
