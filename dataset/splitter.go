package dataset

import (
	"errors"
	"image"
	"slices"

	"github.com/goclip/goclip/internal/pillow"
)

// splitter cuts the files of a tar into samples.
type splitter interface {
	add(e entry) []Sample // those complete with this file, or before it
	rest() []Sample       // those left at the end
}

func (s *stream) newSplitter() splitter {
	switch s.layout {
	case folders:
		return folderSplitter{s.o}
	case sidecars:
		return &keySplitter{o: s.o}
	}
	return &tableSplitter{s, map[string]bool{}}
}

// folderSplitter does what [tree.byFolder] does, one file at a time.
type folderSplitter struct{ o *Options }

func (p folderSplitter) rest() []Sample { return nil }

func (p folderSplitter) add(e entry) []Sample {
	list := (&tree{files: []file{e.file}}).byFolder(p.o)
	if len(list) == 0 {
		return nil
	}
	s := Sample{Key: list[0].key, Label: list[0].label, Fault: list[0].fault}
	if s.Fault == nil {
		data, err := e.read(p.o.MaxBytes)
		s.attach(data, err, p.o)
	}
	return []Sample{s}
}

// keySplitter does what [tree.bySidecar] does, where the files of a key come in
// a row.
type keySplitter struct {
	o     *Options
	group group
	data  []byte
}

func (p *keySplitter) add(e entry) (done []Sample) {
	key, ext := splitKey(e.path, true)
	if key != p.group.key {
		done = p.rest()
	}
	p.group.key = key
	switch {
	case isImage(ext) && p.group.img == nil:
		p.group.img = &e.file
		var err error
		if p.data, err = e.read(p.o.MaxBytes); err != nil && p.group.fault == nil {
			p.group.fault = err
		}
	case isSidecar(ext):
		text, err := e.read(maxText)
		p.group.add(ext, text, err, p.o)
	default:
		p.group.others = append(p.group.others, ext)
	}
	return done
}

func (p *keySplitter) rest() []Sample {
	g, data := p.group, p.data
	p.group, p.data = group{}, nil
	if g.stray() {
		return nil
	}
	s := Sample{Key: g.key}
	s.Captions, s.Label, s.Fault = g.finish(p.o)
	if s.Fault == nil {
		s.attach(data, nil, p.o)
	}
	return []Sample{s}
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
	limits := o.limits()
	s.Decode = func() (image.Image, error) { return pillow.DecodeBytes(data, limits) }
}
