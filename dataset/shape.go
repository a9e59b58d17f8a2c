package dataset

import (
	"fmt"
	"slices"
	"strings"

	"github.com/goclip/goclip/internal/enum"
)

// Shape is how the files of a set belong together.
type Shape uint8

// The shapes that [Open] knows; docs/sets.md shows each.
const (
	AnyShape       Shape = iota // found out from the files
	Images                      // images alone, at whatever depth
	ClassFolders                // the topmost folders are the classes
	Pairs                       // 1.jpg beside 1.txt, 1.caption, 1.json or 1.cls
	CaptionFolders              // images/1.jpg and captions/1.txt
	Tables                      // tables that name images
	Shards                      // tars
	Containers                  // tables with the images inside, such as Parquet
)

func shapeNames() map[Shape]string {
	return map[Shape]string{AnyShape: "any", Images: "images", ClassFolders: "classes", Pairs: "pairs",
		CaptionFolders: "captions", Tables: "tables", Shards: "tars", Containers: "containers"}
}

// String returns the shape's name.
func (s Shape) String() string { return enum.String(s, shapeNames()) }

// MarshalText returns the shape's name.
func (s Shape) MarshalText() ([]byte, error) { return enum.Marshal(s, shapeNames()) }

// UnmarshalText sets the shape from its name.
func (s *Shape) UnmarshalText(text []byte) error { return enum.Unmarshal(s, text, shapeNames()) }

// claim is what one shape would make of a set.
type claim struct {
	shape Shape
	// why is what speaks for it: "captions.csv names 3 of 3 images".
	why string
	// covers is the number of images that it says something of.
	covers int
	// stated by the content of files; else concluded from where images lie.
	stated bool
	// used tells the files that it reads besides images.
	used map[string]bool
	// also is told with the set.
	also []string
	read func() ([]record, error)
}

// kinds are the functions that recognise a shape, one a file. Each returns its
// claims on a set, most often none or one; an error is one of reading the files.
func kinds() []func(*evidence) ([]claim, error) {
	return []func(*evidence) ([]claim, error){
		containerClaims, tableClaims, pairClaims, captionFolderClaims, classClaims, imageClaims,
	}
}

// evidence is the files of a set, sorted by what they are.
type evidence struct {
	*tree
	o      *Options
	images []file
	others []file
	// stems are the images' paths without their extensions.
	stems map[string]bool
}

func (t *tree) evidence(o *Options) *evidence {
	e := &evidence{tree: t, o: o, stems: map[string]bool{}}
	for _, f := range t.files {
		if f.content == nil && isImage(extension(f.path)) {
			e.images = append(e.images, f)
			e.stems[stem(f.path)] = true
		} else {
			e.others = append(e.others, f)
		}
	}
	return e
}

// claims are those of all shapes.
func (e *evidence) claims() ([]claim, error) {
	var all []claim
	for _, kind := range kinds() {
		more, err := kind(e)
		if err != nil {
			return nil, fmt.Errorf("dataset: %w", err)
		}
		all = append(all, more...)
	}
	return all, nil
}

// choose names the shape of a set. What a file says of the images goes before what
// is concluded from their folders. Where it speaks of a few images only, it is as
// stray as a file that speaks of none; in between there are two readings, and
// nothing is guessed.
func (e *evidence) choose(all []claim) (claim, error) {
	if e.o.Shape != AnyShape {
		return e.asked(all)
	}
	var stated []claim
	var guess *claim
	for _, c := range all {
		if c.stated {
			stated = append(stated, c)
		} else if guess == nil {
			guess = &c
		}
	}
	slices.SortStableFunc(stated, func(a, b claim) int { return b.covers - a.covers })
	if len(stated) == 0 {
		if guess == nil {
			return claim{}, fmt.Errorf("dataset: %s: the set is empty: no image was found%s", e.name, e.instead())
		}
		return *guess, nil
	}
	best := stated[0]
	n := max(best.covers, len(e.images))
	if guess != nil && guess.shape == ClassFolders && len(stated) == 1 && guess.covers < n {
		if both, ok, err := guess.completed(best); err != nil || ok {
			return both, err
		}
	}
	if len(stated) > 1 && 2*stated[1].covers > best.covers {
		return claim{}, e.ambiguous(best, stated[1])
	}
	switch {
	case guess == nil || guess.shape == Images || 2*best.covers >= n:
		return best, nil
	case few(best.covers, n):
		return *guess, nil
	}
	return claim{}, e.ambiguous(best, *guess)
}

// completed joins class folders with a table of those images that lie in none, as
// tiny-imagenet has one beside val/images.
func (c claim) completed(table claim) (claim, bool, error) {
	list, err := c.read()
	if err != nil {
		return c, false, err
	}
	rows, err := table.read()
	if err != nil || table.shape != Tables {
		return c, false, err
	}
	at := map[tarPath]int{}
	for i, r := range list {
		at[tarPath{r.file.tar, r.file.path}] = i
	}
	for _, r := range rows {
		i, known := at[tarPath{r.file.tar, r.file.path}]
		switch {
		case known && list[i].label != "" || len(r.captions) > 0:
			return c, false, nil
		case known:
			list[i] = r
		default:
			list = append(list, r)
		}
	}
	c.covers += table.covers
	c.why += ", " + table.why
	c.used, c.also = table.used, table.also
	c.read = func() ([]record, error) { return list, nil }
	return c, true, nil
}

// few tells a share that is an accident from one that is meant.
func few(part, whole int) bool { return 10*part <= whole }

func (e *evidence) asked(all []claim) (claim, error) {
	var found []string
	for _, c := range all {
		if c.shape == e.o.Shape {
			return c, nil
		}
		found = append(found, fmt.Sprintf("%v (%s)", c.shape, c.why))
	}
	if len(found) == 0 {
		return claim{}, fmt.Errorf("dataset: %s: nothing here has the shape %v, and no image was found", e.name, e.o.Shape)
	}
	return claim{}, fmt.Errorf("dataset: %s: nothing here has the shape %v; it could be read as %s", e.name, e.o.Shape, strings.Join(found, " or "))
}

func (e *evidence) ambiguous(a, b claim) error {
	if a.shape == b.shape {
		return fmt.Errorf("dataset: %s: several tables, %s; %s: name the one to open", e.name, a.why, b.why)
	}
	return fmt.Errorf("dataset: %s: this can be read as %v (%s) and as %v (%s): say which with Options.Shape, or --shape=%v or --shape=%v",
		e.name, a.shape, a.why, b.shape, b.why, a.shape, b.shape)
}

// instead says what a folder without images is, as far as it is known.
func (e *evidence) instead() string {
	parts, parquets := 0, 0
	for _, f := range e.others {
		switch {
		case strings.Contains("/"+f.path, "/img_emb/") && strings.HasSuffix(f.path, ".npy"):
			parts++
		case isContainer(f.path):
			parquets++
		}
	}
	switch {
	case parts > 0:
		return fmt.Sprintf("; these are clip-retrieval's embeddings (%d parts in img_emb), not images", parts)
	case parquets > 0 && len(e.o.Formats) == 0:
		return fmt.Sprintf("; to look into %d Parquet or Arrow files, set Options.Formats", parquets)
	case len(e.remarks) > 0:
		return "; " + strings.Join(e.remarks[:min(3, len(e.remarks))], "; ")
	case len(e.left) > 0:
		return "; left out: " + e.left.String()
	}
	return ""
}
