package photos

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"image"
	"io"
	"os"
	"time"

	"github.com/goclip/goclip/dataset"
	"github.com/goclip/goclip/encoder"
	"github.com/goclip/goclip/index"
	"github.com/goclip/goclip/internal/parallel"
	"github.com/goclip/goclip/internal/pillow"
	"github.com/goclip/goclip/internal/unitrows"
	"github.com/goclip/goclip/vision"
)

// UpdateOptions say how photographs are read. The zero value will do.
type UpdateOptions struct {
	// Decode is how their files are read; a photograph that needs more is left out.
	Decode vision.DecodeOptions

	// Settled leaves files for the next time that were changed less than so long ago: they may
	// still be on their way.
	Settled time.Duration

	// NoThumbs makes no thumbnails.
	NoThumbs bool

	// Chunk is the number of photographs between two times at which what was done is written
	// down; 0 means 128.
	Chunk int

	// Progress, where not nil, is told how many of the photographs that are to be read have been.
	Progress func(done, total int)
}

// Report is what an update found.
type Report struct {
	Added, Changed, Moved, Removed, Unchanged int

	Skipped []error // of photographs that cannot be used, each with its path
	Waiting int     // files that are not settled yet
}

// settling is how long after a change a file's time may stay the same though its content
// changes again: file systems count in steps of up to two seconds.
const settling = 2 * time.Second

// item is a photograph that is to be looked at.
type item struct {
	key, path, caption string
	seen               // as it was listed
	photo              Photo
	thumb              []byte
	row                []float32
	was                bool   // an older state of it is in the index
	from               string // the key of a photograph of the same content
}

// Update brings the library in step with a source whose samples are files of their own, as
// those of a folder are. Of files whose size and time are the same nothing is read; what has
// the content of another photograph, as after a rename, takes its embedding; all others are
// decoded ahead of the tower and embedded. What is gone from the source is no longer found.
//
// What was done is written down as it goes, so an update that ends early, in whatever way, goes
// on where it was the next time. One that is undisturbed and one that was not end with the same
// index, byte for byte.
func (l *Library) Update(ctx context.Context, src dataset.Source, o UpdateOptions) (r Report, err error) {
	if o.Chunk < 1 {
		o.Chunk = 128
	}
	todo, gone, err := l.compare(ctx, src, o, &r)
	if err != nil {
		return r, err
	}
	done, total := 0, len(todo[0])+len(todo[1])
	for i, items := range todo {
		for len(items) > 0 {
			chunk := items[:min(o.Chunk, len(items))]
			items = items[len(chunk):]
			if err := l.take(ctx, chunk, o, &r); err != nil {
				return r, err
			}
			done += len(chunk)
			clear(chunk) // or all thumbnails would stay in memory
			if o.Progress != nil {
				o.Progress(done, total)
			}
		}
		// Before the photographs that are new, which may take long, and after those that may be
		// the old ones by another name.
		if i == 0 {
			if err := l.forget(gone, &r); err != nil {
				return r, err
			}
		}
	}
	return r, nil
}

// Suits tells whether a source is one for [Library.Update]: each image is a file of its own on
// this machine, and no two have one name.
func Suits(ctx context.Context, src dataset.Source) (bool, error) {
	names := map[string]bool{}
	for s, err := range src.Samples(ctx, dataset.Order{}) {
		if err != nil {
			return false, fmt.Errorf("photos: %w", err)
		}
		if s.Path == "" && s.Fault == nil || names[s.Key] {
			return false, nil
		}
		names[s.Key] = true
	}
	return true, nil
}

// compare lists what is to be looked at, first that whose content the index may have already,
// and the keys of what is gone.
func (l *Library) compare(ctx context.Context, src dataset.Source, o UpdateOptions, r *Report) (todo [2][]*item, gone []string, err error) {
	if src == nil {
		return todo, nil, errors.New("photos: the source is nil")
	}
	there := map[string]bool{}
	away := 0
	now := time.Now()
	for s, err := range src.Samples(ctx, dataset.Order{}) {
		switch {
		case err != nil:
			return todo, nil, fmt.Errorf("photos: %w", err)
		case s.Fault != nil:
			r.Skipped = append(r.Skipped, fmt.Errorf("%s: %s: %w", s.File, s.Key, s.Fault))
			continue
		case s.Path == "":
			return todo, nil, fmt.Errorf("photos: %s: %s is in no file of its own", s.File, s.Key)
		case there[s.Key]:
			return todo, nil, fmt.Errorf("photos: %s: two files are called %s", s.File, s.Key)
		}
		info, err := os.Stat(s.Path)
		if err != nil || !info.Mode().IsRegular() {
			away++ // since it was listed
			continue
		}
		it := &item{key: s.Key, path: s.Path, seen: seen{size: info.Size(), modified: info.ModTime().UnixNano()}}
		if len(s.Captions) > 0 {
			it.caption = s.Captions[0]
		}
		old, was := l.photo(s.Key)
		if o.Settled > 0 && now.Sub(info.ModTime()).Abs() < o.Settled {
			r.Waiting++
			there[s.Key] = was // what is found of it stays for now
			continue
		}
		if f, ok := l.failed[it.path]; ok && f.size == it.size && f.modified == it.modified {
			r.Skipped = append(r.Skipped, fmt.Errorf("%s: %w", it.path, f.err))
			continue
		}
		there[s.Key], it.was = true, was
		switch same := was && old.Size == it.size && old.Modified == it.modified; {
		case same && old.Caption == it.caption && (o.NoThumbs || l.thumbs.has(old.SHA256)):
			r.Unchanged++
		case l.sizes[it.size] > 0:
			todo[0] = append(todo[0], it)
		default:
			todo[1] = append(todo[1], it)
		}
	}
	if away > 0 && len(there) == 0 { // a disk that was taken away
		return todo, nil, fmt.Errorf("photos: %s: none of %d files is there any more", l.folder, away)
	}
	for e := range l.x.Entries() {
		if !there[e.Key] {
			gone = append(gone, e.Key)
		}
	}
	return todo, gone, nil
}

func (l *Library) photo(key string) (Photo, bool) {
	e, ok := l.x.Get(key)
	if !ok {
		return Photo{}, false
	}
	p, ok := Parse(e.Meta)
	return p, ok
}

func (l *Library) forget(keys []string, r *Report) error {
	n, err := l.Remove(keys...)
	r.Removed += n
	return err
}

// take adds the photographs of a chunk.
func (l *Library) take(ctx context.Context, chunk []*item, o UpdateOptions, r *Report) error {
	parallel.For(len(chunk), func(i int) { l.recognise(chunk[i], o) })
	var fresh []*item
	for _, it := range chunk {
		if it.from == "" && it.err == nil {
			fresh = append(fresh, it)
		}
	}
	e, faults, err := l.model.EncodeEachImage(ctx, len(fresh), func(i int) (image.Image, error) { return fresh[i].read(ctx, o) })
	if err != nil {
		return fmt.Errorf("photos: %w", err)
	}
	for i, it := range fresh {
		var bad *encoder.ImageError
		switch {
		case errors.As(faults[i], &bad):
			it.err = bad.Err
		case faults[i] != nil:
			it.err = faults[i]
		default:
			it.row = e.Row(i)
			if unitrows.First(it.row, e.Dim) >= 0 {
				it.err = fmt.Errorf("it %s", unitrows.Fault(it.row))
			}
		}
	}
	if err := ctx.Err(); err != nil { // it may be what is wrong with them
		return err
	}
	return l.keep(chunk, r)
}

// recognise finds a photograph of the same content, if one of its size is there.
func (l *Library) recognise(it *item, o UpdateOptions) {
	if l.sizes[it.size] == 0 {
		return
	}
	f, err := openRegular(it.path)
	if err != nil {
		it.err = err
		return
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		it.err = err
		return
	}
	sum := hex.EncodeToString(h.Sum(nil))
	for _, key := range append([]string{it.key}, l.known[sum]...) {
		p, ok := l.photo(key)
		row, there := l.x.Embedding(key)
		if !ok || !there || p.SHA256 != sum || !o.NoThumbs && !l.thumbs.has(sum) {
			continue
		}
		it.from, it.row, it.photo = key, row, p
		it.photo.Size, it.photo.Modified, it.photo.Caption = it.size, it.modified, it.caption
		return
	}
}

// read decodes a photograph, and notes what there is to know of it.
func (it *item) read(ctx context.Context, o UpdateOptions) (image.Image, error) {
	f, err := openRegular(it.path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	limit := o.Decode.MaxBytes
	if limit <= 0 {
		limit = 512 << 20 // as vision.DecodeOptions has it
	}
	if it.size > limit {
		return nil, fmt.Errorf("%d bytes, more than the limit of %d", it.size, limit)
	}
	data, err := io.ReadAll(io.LimitReader(f, it.size+1))
	if err != nil {
		return nil, err
	}
	if int64(len(data)) != it.size {
		return nil, errors.New("it changed while it was read")
	}
	img, err := vision.DecodeContext(ctx, bytes.NewReader(data), &o.Decode)
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256(data)
	shot, size := pillow.ReadShot(data), pillow.UprightBounds(img).Size()
	it.photo = Photo{Caption: it.caption, Size: it.size, Modified: it.modified, SHA256: hex.EncodeToString(sum[:]),
		Width: size.X, Height: size.Y, Taken: shot.Taken, Place: shot.Place}
	little, err := small(img)
	if err == nil {
		it.photo.Look, err = lookOf(little)
	}
	if err == nil && !o.NoThumbs {
		it.thumb, err = thumbnail(little)
	}
	return img, err
}

// keep writes down what became of a chunk.
func (l *Library) keep(chunk []*item, r *Report) error {
	var changes []change
	now := time.Now()
	for _, it := range chunk {
		if it.err != nil {
			r.Skipped = append(r.Skipped, fmt.Errorf("%s: %w", it.path, it.err))
			l.failed[it.path] = it.seen
			if it.was { // what is found would be what the file no longer shows
				changes = append(changes, change{entry: index.Entry{Key: it.key}, removed: true})
			}
			continue
		}
		if now.Sub(time.Unix(0, it.modified)).Abs() < settling {
			it.photo.Modified = 0 // it may change again without looking so
		}
		if err := l.thumbs.add(it.photo.SHA256, it.thumb); err != nil {
			return err
		}
		changes = append(changes, change{entry: index.Entry{Key: it.key, Meta: it.photo.Meta()}, row: it.row})
		l.note(it.key, it.photo)
		switch {
		case it.from != "" && it.from != it.key:
			r.Moved++
		case it.was && it.from == it.key:
			r.Unchanged++
		case it.was:
			r.Changed++
		default:
			r.Added++
		}
	}
	return l.write(changes)
}
