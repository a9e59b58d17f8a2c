package command

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/goclip/goclip/dataset"
	"github.com/goclip/goclip/embeddings"
	"github.com/goclip/goclip/encoder"
	"github.com/goclip/goclip/index"
	"github.com/goclip/goclip/internal/sweep"
	"github.com/goclip/goclip/photos"
)

type indexCommand struct {
	modelFlags
	dataFlags
	leftOutFlag
	uprightFlag
	draftFlag
	Out        string            `required:"" placeholder:"FILE" help:"Index to write."`
	Overwrite  bool              `help:"Begin anew, in place of any other index. A file that is no index is never replaced."`
	Rows       index.Rows        `enum:"float32,int8,int8+float16" default:"float32" help:"How the file holds embeddings. With int8 searches read a quarter, and find the same with the same scores, for a quarter more on disk; with int8+float16 embeddings are rounded besides, to three quarters of the size."`
	Append     bool              `help:"FILE is a folder, of files that are each written once: this set's images are added in another one, in the place of earlier ones of the same names."`
	Watch      bool              `help:"Go on: look again and again for what changes in the folder, until Ctrl-C."`
	Shard      int               `default:"250000" placeholder:"N" help:"Of embeddings with --append: how many are taken into memory and written to one file."`
	Every      time.Duration     `default:"10s" placeholder:"TIME" help:"How long to wait between two looks with --watch."`
	Store      string            `placeholder:"URL" help:"Bring a database in step with the index afterwards, postgres://… or what else goclip search --store takes: new and changed images are written, and those that are gone removed."`
	Label      map[string]string `mapsep:"none" placeholder:"NAME=VALUE" help:"Of a --store: give the images this label, and remove none that lacks it; may be given several times."`
	Thumbnails bool              `default:"true" negatable:"" help:"Keep small JPEGs of a folder's photographs in FILE.thumbs."`

	shared *storeReport // what was done in the database
}

func (indexCommand) Help() string {
	return `Each image is embedded once; searches then only compare embeddings.

    goclip index  --model model --data ~/Photos --out photos.index
    goclip search --model model --index photos.index "a dog on a beach"

Of a folder, the same command once more takes in what is new, changed, renamed or gone, and reads nothing else. It may be ended at any moment, in any way, and goes on where it was. With --watch it does not end by itself.

    goclip index  --model model --data photos.csv --out table.index

A folder of embeddings, of "goclip embed" or of another program (clip-retrieval's, or .npy, .npz, Parquet or JSON lines with vectors), is indexed as it is. They have to be of the same model.

    goclip index  --model model --data january.tar --out year.index --append --rows int8
    goclip index  --model model --data february.tar --out year.index --append

With --append the index is a folder, to which each run adds a file; its files are as those before, unless --rows int8 or int8+float16 is given. Embeddings are taken in --shard at a time, so millions need no more memory than that.

    goclip index  --model model --data ~/Photos --out photos.index --store postgres://me@localhost/images --label album=mine

With --store a database gets what the index has. Several folders share one when each has a --label of its own; without one, all images of this model in the database are taken for this index's. What a folder had before is not sent again.

The index of a table or a tar is written only when it is complete, and replaced only with --overwrite. Images that cannot be read are reported and left out.`
}

func (c *indexCommand) Run(s *session) (err error) {
	switch {
	case c.Out == "":
		return wrong("--out is empty, want a file")
	case c.Shard < 1:
		return wrong("--shard %d, want 1 or more", c.Shard)
	case c.Store != "" && c.Watch:
		return wrong("--store is brought in step when a run ends, and --watch does not end: run it from time to time")
	case c.Store == "" && len(c.Label) > 0:
		return wrong("--label is for a --store")
	case c.Every < time.Second:
		return wrong("--every %v, want 1s or more", c.Every)
	}
	if err := apart([]string{c.Out, c.LeftOut}, c.Data); err != nil {
		return err
	}
	if embeddings.Is(c.Data) {
		return c.embedded(s)
	}
	folder := isFolder(c.Data) && !c.Append
	if c.Append && c.Watch {
		return wrong("--append is of a set as it is now, and --watch of a folder as it changes: want one of them")
	}
	if c.Watch && !folder {
		return wrong("--watch is for folders, and %s is none", c.Data)
	}
	if err := c.free(c.Overwrite || folder); err != nil {
		return err
	}
	if err := freeLeftOut(c.LeftOut, c.Out+".left-out.jsonl"); err != nil {
		return err
	}
	set, err := c.open(s, nil)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, set.Close()) }()
	s.say("%s: %v", c.Data, set.Seen())
	c.modelFlags.draft, c.modelFlags.upright = c.Draft, &c.Upright
	m, err := c.load(s, need{images: true})
	if err != nil {
		return err
	}
	defer closing(&err, m.Close)
	if c.dataFlags.draft = m.Config().Preprocess.DraftSide(); c.dataFlags.draft > 0 { // only the model knew
		again, err := c.open(s, nil)
		if err != nil {
			return err
		}
		if err := set.Close(); err != nil {
			return errors.Join(err, again.Close())
		}
		set = again
	}
	if err := c.writable(); err != nil {
		return err
	}
	alone, err := photos.Suits(s, set)
	switch {
	case err != nil:
		return input(err)
	case folder && alone:
		return c.follow(s, m, set)
	case c.Watch:
		return wrong("--watch is for folders in which every image is a file of its own, and those of %s are not", c.Data)
	}
	if err := c.free(c.Overwrite); err != nil {
		return err
	}
	built, skipped, err := index.Build(s, m, s.watch("index", set))
	s.leftOut(skipped)
	if err != nil {
		_, unwritten := s.writeLeftOut(set.Notes(), c.LeftOut, c.Out+".left-out.jsonl")
		return input(errors.Join(err, unwritten))
	}
	if err := c.save(built); err != nil {
		return err
	}
	whole := built
	if c.Append && c.Store != "" { // of which this run's is one file
		if whole, err = index.OpenUnread(c.Out, nil); err != nil {
			return input(err)
		}
		defer closing(&err, whole.Close)
	}
	if err := c.share(s, m, whole); err != nil {
		return err
	}
	return c.tell(s, built, photos.Report{Added: built.Len(), Skipped: skipped}, set.Notes())
}

// free is an error where the index may not be written.
func (c *indexCommand) free(replace bool) error {
	if c.Append {
		if info, err := os.Stat(c.Out); err == nil && !info.IsDir() {
			return occupied(fmt.Errorf("index: %s exists and is no folder, which --append adds to", c.Out))
		}
		return nil
	}
	if err := index.Free(c.Out, replace); err != nil {
		return occupied(err)
	}
	return nil
}

func (c *indexCommand) save(x *index.Index) error {
	o := index.SaveOptions{Overwrite: c.Overwrite, Rows: c.Rows}
	if !c.Append {
		return x.SaveWith(c.Out, o)
	}
	if _, err := os.Stat(filepath.Join(c.Out, "00000.index")); err == nil && c.Rows == index.Float32 {
		o.Rows = index.AsBefore
	}
	return index.Append(c.Out, x, nil, o)
}

func isFolder(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.IsDir()
}

// tell is the result.
func (c *indexCommand) tell(s *session, x *index.Index, r photos.Report, notes []dataset.Bad) error {
	all, err := s.writeLeftOut(notes, c.LeftOut, c.Out+".left-out.jsonl")
	if err != nil {
		return err
	}
	result := map[string]any{
		"index": c.Out, "entries": x.Len(), "left_out": len(r.Skipped), "left_out_file": all, "upright": x.Upright(), "draft": x.Draft(),
		"added": r.Added, "changed": r.Changed, "moved": r.Moved, "removed": r.Removed, "unchanged": r.Unchanged,
	}
	if c.shared != nil {
		result["store"] = c.shared
	}
	return s.result(result, func(w io.Writer) {
		fmt.Fprintf(w, "%s: %d images, %d left out\n", c.Out, x.Len(), len(r.Skipped))
		if r.Added != x.Len() {
			fmt.Fprintln(w, changes(r))
		}
		if c.shared != nil {
			fmt.Fprintf(w, "the database: %d written, %d removed, %d as before\n", c.shared.Written, c.shared.Removed, c.shared.Unchanged)
		}
	})
}

// changes is what an update did, in words.
func changes(r photos.Report) string {
	return fmt.Sprintf("%d new, %d changed, %d renamed or copied, %d gone, %d as before", r.Added, r.Changed, r.Moved, r.Removed, r.Unchanged)
}

// follow brings the index in step with the folder.
func (c *indexCommand) follow(s *session, m *encoder.Model, set *dataset.Set) (err error) {
	o := photos.LibraryOptions{Overwrite: c.Overwrite, Rows: c.Rows}
	if c.Rows == index.Float32 {
		o.Rows = index.AsBefore
	}
	l, err := photos.OpenLibrary(c.Out, c.Data, m, o)
	if err != nil {
		return occupied(err)
	}
	defer closing(&err, l.Close)
	u := photos.UpdateOptions{Decode: *c.decode(s), NoThumbs: !c.Thumbnails, Progress: s.counter("index", "images")}
	u.Decode.Draft = c.dataFlags.draft
	if c.Watch {
		return c.watch(s, l, set, u)
	}
	r, err := l.Update(s, set, u)
	if err != nil {
		return err
	}
	s.leftOut(r.Skipped)
	if l.Index().Len() == 0 {
		_, unwritten := s.writeLeftOut(set.Notes(), c.LeftOut, c.Out+".left-out.jsonl")
		return errors.Join(input(fmt.Errorf("index: %w", sweep.Nothing(r.Skipped))), l.Discard(), unwritten)
	}
	if err := l.Save(); err != nil {
		return err
	}
	if err := c.share(s, m, l.Index()); err != nil {
		return err
	}
	return c.tell(s, l.Index(), r, set.Notes())
}

// watch updates the library until the context ends, which is no error. What goes wrong in
// between, such as a disk that is away for a while, is told and tried again. A look takes a
// twentieth of the time at most.
func (c *indexCommand) watch(s *session, l *photos.Library, set *dataset.Set, o photos.UpdateOptions) error {
	o.Settled = 2 * time.Second
	var total photos.Report
	told := 0
	var opened *dataset.Set // after the first, which is the caller's
	defer func() { _ = opened.Close() }()
	for {
		began := time.Now()
		r, err := l.Update(s, set, o)
		switch {
		case s.Err() != nil:
		case err != nil:
			s.warn("%v; trying again", err)
		case r.Added+r.Changed+r.Moved+r.Removed > 0 || len(r.Skipped) != told:
			s.say("%s: %d images; %s", c.Out, l.Index().Len(), changes(r))
			if len(r.Skipped) > told {
				s.leftOut(r.Skipped[told:])
			}
		}
		told = len(r.Skipped)
		total = photos.Report{Added: total.Added + r.Added, Changed: total.Changed + r.Changed, Moved: total.Moved + r.Moved,
			Removed: total.Removed + r.Removed, Unchanged: r.Unchanged, Skipped: r.Skipped}
		for set = nil; set == nil; {
			if !pause(s, max(c.Every, 20*time.Since(began))) {
				return c.tell(s, l.Index(), total, nil)
			}
			again, err := c.open(s, nil)
			if err != nil { // nothing is said of what was in a folder that is away
				s.warn("%v; trying again", err)
				continue
			}
			_ = opened.Close()
			opened, set = again, again
		}
	}
}

// pause waits, and tells whether the context is still there.
func pause(ctx context.Context, d time.Duration) bool {
	select {
	case <-ctx.Done():
		return false
	case <-time.After(d):
		return true
	}
}

func (c *indexCommand) writable() error {
	if c.Append {
		return writable(filepath.Join(c.Out, "00000.index"))
	}
	return writable(c.Out)
}
