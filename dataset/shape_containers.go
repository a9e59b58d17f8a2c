package dataset

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"image"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/goclip/goclip/internal/pillow"
)

// isContainer knows the files that a [Format] may read.
func isContainer(name string) bool {
	return slices.Contains([]string{"parquet", "arrow"}, extension(name))
}

// containerClaims: files of a [Format] with the images inside, or that name images
// which lie beside. Those of img2dataset that stand beside what was downloaded say
// which downloads failed.
func containerClaims(e *evidence) ([]claim, error) {
	var inside, naming []*container
	var wrong error
	computed := e.computed()
	for _, f := range e.others {
		format := e.format(f.path)
		if format == nil || e.streamed || computed[f.path] {
			continue
		}
		c, err := e.openContainer(format, f)
		if err != nil {
			wrong = errors.Join(wrong, e.in(f, err))
			continue
		}
		switch {
		case c.image.Image:
			inside = append(inside, c)
		case c.failures():
			if err := c.download(); err != nil {
				wrong = errors.Join(wrong, e.in(f, err))
			}
		case c.named != "":
			naming = append(naming, c)
		default:
			e.remarks = append(e.remarks, c.nothing())
		}
	}
	if len(inside)+len(naming) == 0 {
		if wrong != nil && len(e.images) == 0 {
			return nil, wrong
		}
		return nil, nil
	}
	var claims []claim
	for _, list := range [][]*container{inside, naming} {
		c, err := e.containerClaim(list)
		if err != nil {
			return nil, err
		}
		if c.covers > 0 {
			claims = append(claims, c)
		}
	}
	return claims, nil
}

// computed are the Arrow files that datasets keeps beside a set and that are none of it:
// those that the set's state.json does not list and, without one, the caches.
func (e *evidence) computed() map[string]bool {
	listed, dirs, found := map[string]bool{}, map[string]int{}, map[string]bool{}
	stated := map[string]bool{}
	for _, f := range e.others {
		dir := path.Dir(f.path)
		switch {
		case path.Base(f.path) == "state.json":
			var state struct {
				Files []struct {
					Name string `json:"filename"`
				} `json:"_data_files"`
			}
			text, err := e.text(f)
			stated[dir] = err == nil && json.Unmarshal(text, &state) == nil && state.Files != nil
			for _, one := range state.Files {
				listed[path.Join(dir, one.Name)] = true
			}
		case extension(f.path) == "arrow" && !isCache(f.path):
			dirs[dir]++
		}
	}
	for _, f := range e.others {
		if dir := path.Dir(f.path); extension(f.path) == "arrow" {
			found[f.path] = stated[dir] && !listed[f.path] || !stated[dir] && isCache(f.path) && dirs[dir] > 0
		}
	}
	return found
}

func isCache(name string) bool { return strings.HasPrefix(path.Base(name), "cache-") }

func (e *evidence) format(name string) Format {
	for _, f := range e.o.Formats {
		if f != nil && strings.EqualFold(path.Ext(name), f.Extension()) {
			return f
		}
	}
	return nil
}

// container is one file of a [Format].
type container struct {
	e       *evidence
	file    file
	table   Table
	columns []Column
	image   Column // with images inside
	named   string // the column that names images
	caption string
	label   Column
	status  string
}

func (e *evidence) openContainer(format Format, f file) (*container, error) {
	r, size, closer, err := e.readerAt(f)
	if err != nil {
		return nil, err
	}
	t, err := format.OpenTable(r, size, e.o.MaxBytes)
	if err != nil {
		return nil, errors.Join(err, closer.Close())
	}
	e.opened = append(e.opened, closer)
	c := &container{e: e, file: f, table: t, columns: t.Columns()}
	header, pictures := make([]string, len(c.columns)), []string{}
	for i, col := range c.columns {
		header[i] = col.Name
		if col.Image {
			pictures = append(pictures, col.Name)
		}
	}
	if len(pictures) > 0 {
		name := pictures[max(0, find(pictures, e.o.imageKeys()))] // a mask may stand before it
		c.image = c.columns[slices.Index(header, name)]
		if len(pictures) > 1 {
			e.remarks = append(e.remarks, fmt.Sprintf("of the columns of images %s, %s is read", listed(pictures), name))
		}
	}
	name := func(keys []string) string {
		if i := find(header, keys); i >= 0 {
			return header[i]
		}
		return ""
	}
	c.caption, c.status = name(e.o.captionKeys()), name([]string{"status"})
	if !c.image.Image {
		c.named = name(e.o.imageKeys())
	}
	if i := find(header, e.o.labelKeys()); i >= 0 {
		c.label = c.columns[i]
	}
	return c, nil
}

// nothing says that a file is no set of images.
func (c *container) nothing() string {
	names := make([]string, len(c.columns))
	for i, col := range c.columns {
		names[i] = col.Name
	}
	help := ""
	if find(names, []string{"url", "image_url"}) >= 0 {
		help = "; images are not downloaded, which img2dataset does"
	}
	return fmt.Sprintf("%s has no column of images nor of their paths, but %s%s", Printable(c.file.path), listed(names), help)
}

// failures tells img2dataset's list of what it downloaded.
func (c *container) failures() bool {
	return c.status != "" && slices.ContainsFunc(c.columns, func(col Column) bool { return col.Name == "error_message" })
}

// download notes what could not be downloaded.
func (c *container) download() error {
	return c.table.Cells([]string{"key", "url", c.status, "error_message"}, func(_ int, cells [][]string) error {
		if status := one(cells[2]); status != "success" {
			c.e.notes = append(c.e.notes, Bad{File: c.file.path, Key: one(cells[0]), Reason: strings.TrimSpace(status + ": " + one(cells[3]) + " (" + one(cells[1]) + ")")})
		}
		return nil
	})
}

func one(cell []string) string {
	if len(cell) == 0 {
		return ""
	}
	return cell[0]
}

func (e *evidence) containerClaim(list []*container) (claim, error) {
	c := claim{shape: Containers, stated: true, used: map[string]bool{}}
	var records []record
	for _, one := range list {
		more, err := one.records()
		if err != nil {
			return c, e.in(one.file, err)
		}
		records = append(records, more...)
		c.used[one.file.path] = true
	}
	for _, r := range records {
		if r.fault == nil {
			c.covers++
		}
	}
	if len(list) > 0 {
		c.why = fmt.Sprintf("%s with %s", Printable(list[0].file.path), count(len(records), "row", "rows"))
		if len(list) > 1 {
			c.why = fmt.Sprintf("%d files, %s, …", len(list), Printable(list[0].file.path))
		}
		if !list[0].image.Image {
			c.shape = Tables
		}
	}
	c.read = func() ([]record, error) { return records, nil }
	return c, nil
}

// records are the rows as samples.
func (c *container) records() ([]record, error) {
	columns := []string{c.caption, c.label.Name, c.named, c.status, c.image.Path, "key", "url", "error_message"}
	var list []record
	rows := map[string]int{} // of images that lie beside, by path
	err := c.table.Cells(columns, func(row int, cells [][]string) error {
		r := record{tree: c.e.tree, key: fmt.Sprintf("%s/%d", stem(c.file.path), row)}
		if key := one(cells[5]); key != "" {
			r.key = key
		} else if p := one(cells[4]); p != "" {
			r.key = fmt.Sprintf("%s/%d-%s", stem(c.file.path), row, path.Base(p))
		}
		if status := one(cells[3]); c.failures() && status != "success" {
			c.e.notes = append(c.e.notes, Bad{File: c.file.path, Key: r.key, Reason: strings.TrimSpace(status + ": " + one(cells[7]) + " (" + one(cells[6]) + ")")})
			return nil
		}
		label := one(cells[1])
		if n, err := strconv.Atoi(label); err == nil && n >= 0 && n < len(c.label.Labels) {
			label = c.label.Labels[n]
		} else if n == -1 && c.label.Labels != nil {
			label = "" // datasets' ClassLabel for none
		}
		r.describe(cells[0], label, c.e.o)
		switch {
		case r.fault != nil:
		case c.image.Image:
			r.decode = c.decode(row, one(cells[4]))
		default:
			return c.beside(&list, rows, r, one(cells[2]))
		}
		list = append(list, r)
		return nil
	})
	return list, err
}

// beside adds a row that names an image by its path.
func (c *container) beside(list *[]record, rows map[string]int, r record, name string) error {
	switch {
	case name == "":
		r.fault = errors.New("no image is named")
	case strings.Contains(name, "://"):
		r.fault = fmt.Errorf("%s: images are not downloaded; img2dataset does that", name)
	default:
		f, found, err := c.e.locate(c.file, name, c.e.o)
		if err != nil {
			return err
		}
		if i, ok := rows[f.path]; ok && found && (*list)[i].label == r.label {
			(*list)[i].captions = append((*list)[i].captions, r.captions...)
			return nil
		}
		r.file, r.key = f, f.path
		rows[f.path] = len(*list)
		if !found {
			r.fault = errors.New("no such file")
		}
	}
	*list = append(*list, r)
	return nil
}

// decode reads the image of a row or, where it has only a path, the file beside.
func (c *container) decode(row int, name string) func(context.Context) (image.Image, error) {
	beside := file{}
	if name != "" && len(c.e.images) > 0 {
		if f, found, err := c.e.locate(c.file, name, c.e.o); found && err == nil {
			beside = f
		}
	}
	return func(ctx context.Context) (image.Image, error) {
		data, err := c.table.Image(c.image.Name, row)
		switch {
		case err != nil:
			return nil, err
		case data != nil:
			return pillow.DecodeBytes(data, c.e.o.limits(ctx))
		case beside.path != "":
			return c.e.decode(ctx, beside, c.e.o)
		}
		return nil, errors.New("the row has no image" + map[bool]string{true: ", and its file is not here: " + name}[name != ""])
	}
}
