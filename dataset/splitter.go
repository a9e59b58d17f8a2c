package dataset

import (
	"context"
	"errors"
	"image"
	"slices"
	"strings"

	"github.com/goclip/goclip/internal/pillow"
)

// splitter cuts the files of a tar into samples.
type splitter interface {
	add(e entry) []Sample // those complete with this file, or before it
	rest() []Sample       // those left at the end
}

func (s *stream) newSplitter() splitter {
	switch s.shape {
	case Images, ClassFolders:
		return imageSplitter{s.o, s.classAt}
	case Pairs:
		return &keySplitter{o: s.o}
	}
	return &tableSplitter{s, map[string]bool{}}
}

// imageSplitter gives the images, with the folder at a depth as their class; -1 for
// none.
type imageSplitter struct {
	o       *Options
	classAt int
}

func (p imageSplitter) rest() []Sample { return nil }

func (p imageSplitter) add(e entry) []Sample {
	if !isImage(extension(e.path)) {
		return nil
	}
	s := Sample{Key: e.path}
	if parts := strings.Split(e.path, "/"); p.classAt >= 0 && p.classAt < len(parts)-1 {
		_, s.Label, s.Fault = described(nil, parts[p.classAt], p.o)
	}
	if s.Fault == nil {
		data, err := e.read(p.o.MaxBytes)
		s.attach(data, err, p.o)
	}
	return []Sample{s}
}

// keySplitter does what [evidence.pairs] does, where the files of a key come in a row.
type keySplitter struct {
	o     *Options
	short string // the key up to the first dot
	plain bool   // an image has it as its own
	key   string
	files []held
}

// held is a file that waits for the others of its key.
type held struct {
	path, ext string
	data      []byte
	err       error
}

func (p *keySplitter) add(e entry) (done []Sample) {
	key, ext := splitKey(e.path, true)
	if key != p.short {
		p.plain = false
	}
	known := isImage(ext) || isSidecar(ext)
	p.short, p.plain = key, p.plain || known
	if !p.plain {
		key, ext = splitKey(e.path, false) // 22.05.jpg, 22.05.txt
	}
	if key != p.key {
		done = p.rest()
	}
	p.key = key
	f := held{path: e.path, ext: ext}
	switch {
	case isImage(ext):
		f.data, f.err = e.read(p.o.MaxBytes)
	case isSidecar(ext):
		f.data, f.err = e.read(maxText)
	}
	if i := slices.IndexFunc(p.files, func(h held) bool { return h.path == f.path }); i >= 0 {
		p.files[i] = f // in the tar twice: the last one counts
	} else {
		p.files = append(p.files, f)
	}
	return done
}

func (p *keySplitter) rest() []Sample {
	g := group{key: p.key}
	var images []held
	for _, f := range p.files {
		switch {
		case isImage(f.ext):
			g.images = append(g.images, file{path: f.path})
			images = append(images, f)
		case isSidecar(f.ext):
			g.add(f.ext, f.data, f.err, p.o)
		default:
			g.others = append(g.others, f.ext)
		}
	}
	p.files, p.key = nil, ""
	if g.stray() {
		return nil
	}
	s := Sample{Key: g.key}
	s.Captions, s.Label, s.Fault = g.finish(p.o)
	if len(images) == 0 {
		return []Sample{s}
	}
	list := make([]Sample, len(images))
	for i, f := range images {
		list[i] = s
		list[i].Key = g.keyOf(g.images[i])
		if s.Fault == nil {
			list[i].attach(f.data, f.err, p.o)
		}
	}
	return list
}

// tableSplitter gives the images that a table names.
type tableSplitter struct {
	stream *stream
	seen   map[string]bool
}

func (p *tableSplitter) add(e entry) []Sample {
	rows := p.stream.rows[e.path]
	if len(rows) == 0 {
		return nil
	}
	p.seen[e.path] = true
	data, err := e.read(p.stream.o.MaxBytes)
	var list []Sample
	for _, r := range rows {
		s := Sample{Key: r.key, Captions: r.captions, Label: r.label}
		s.attach(data, err, p.stream.o)
		list = append(list, s)
	}
	return list
}

// rest gives the rows that are faulty, and those without an image.
func (p *tableSplitter) rest() []Sample {
	var list []Sample
	for _, r := range p.stream.faulty {
		list = append(list, Sample{Key: r.key, Fault: r.fault})
	}
	var missing []string
	for name := range p.stream.rows {
		if !p.seen[name] {
			missing = append(missing, name)
		}
	}
	slices.Sort(missing)
	for _, name := range missing {
		for _, r := range p.stream.rows[name] {
			list = append(list, Sample{Key: r.key, Fault: errors.New("no such file in the archive")})
		}
	}
	return list
}

// attach gives the sample its image's bytes, or the error of reading them.
func (s *Sample) attach(data []byte, err error, o *Options) {
	if err != nil {
		s.Captions, s.Label, s.Fault = nil, "", err
		return
	}
	s.size = int64(len(data))
	for _, c := range s.Captions {
		s.size += int64(len(c))
	}
	s.decodes(func(ctx context.Context) (image.Image, error) { return pillow.DecodeBytes(data, o.limits(ctx)) })
}
