// Package embeddings writes the embeddings of sets of images in files that other programs read, part
// by part so that a run can be ended and taken up anywhere, and reads the files of those programs.
//
// What is written is L2-normalised, as clip-retrieval's is.
package embeddings

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path"
	"strconv"
	"strings"

	"github.com/goclip/goclip/dataset/parquet"
	"github.com/goclip/goclip/internal/enum"
	"github.com/goclip/goclip/internal/npy"
)

// Format is the form of the files. The X in their names is a part's, see [PartName].
type Format uint8

// The formats. Captions have embeddings where Options.Texts says so.
const (
	// ClipRetrieval is what clip-retrieval's inference writes: img_emb/img_emb_X.npy and
	// text_emb/text_emb_X.npy, (N, D), and metadata/metadata_X.parquet with the columns
	// image_path and caption, row by row the same images. autofaiss takes the folders of
	// .npy alone.
	ClipRetrieval Format = iota
	// NPY is ClipRetrieval with the metadata as JSON lines, metadata/metadata_X.jsonl.
	NPY
	// NPZ is embeddings_X.npz with the arrays img_emb, text_emb, image_path and caption.
	NPZ
	// Parquet is embeddings_X.parquet with the columns image_path, caption, embedding and
	// text_embedding, the last two lists of float32.
	Parquet
	// JSONLines is embeddings_X.jsonl with the fields of Parquet's columns.
	JSONLines
)

func formatNames() map[Format]string {
	return map[Format]string{ClipRetrieval: "clip-retrieval", NPY: "npy", NPZ: "npz", Parquet: "parquet", JSONLines: "jsonl"}
}

// String is the format's name.
func (f Format) String() string { return enum.String(f, formatNames()) }

// MarshalText is String for a known format.
func (f Format) MarshalText() ([]byte, error) { return enum.Marshal(f, formatNames()) }

// UnmarshalText reads a name.
func (f *Format) UnmarshalText(text []byte) error { return enum.Unmarshal(f, text, formatNames()) }

// numpy tells whether the format's numbers are NumPy's, which may be halves.
func (f Format) numpy() bool { return f <= NPZ }

// PartName is what the files of a part are called after: of the k-th of count parts of a shard
// called name, or of count −1, which is not known. The parts of one set, without a name, are
// numbers: 0, or 00 to 11. A shard 00012 of one part gives 00012, one of several 00012_0 and so
// on. Sorted by their names, parts are in order.
func PartName(name string, k, count int) string {
	width := 5
	if count > 0 {
		width = len(strconv.Itoa(count))
	}
	number := fmt.Sprintf("%0*d", width, k)
	switch {
	case name == "":
		return number
	case count == 1:
		return name
	}
	return name + "_" + number
}

// ShardName is what the parts of a shard are called after: the name of a tar, a Parquet or an
// Arrow file without what follows its first dot that begins an extension of those, or of a
// folder.
func ShardName(shard string) string {
	name := path.Base(strings.ReplaceAll(shard, "\\", "/"))
	lower := strings.ToLower(name)
	for _, ext := range []string{".tar.gz", ".tgz", ".tar", ".parquet", ".arrow"} {
		if strings.HasSuffix(lower, ext) && len(name) > len(ext) {
			return name[:len(name)-len(ext)]
		}
	}
	return name
}

// rows are what a part holds.
type rows struct {
	keys, captions []string
	images, texts  []float32 // texts is empty without embeddings of captions
	dim            int
}

func (r *rows) image(i int) []float32 { return r.images[i*r.dim : (i+1)*r.dim] }

// text is nil without embeddings of captions.
func (r *rows) text(i int) []float32 {
	if len(r.texts) == 0 {
		return nil
	}
	return r.texts[i*r.dim : (i+1)*r.dim]
}

// file is one of a part.
type file struct {
	path  string // within the folder
	write func(io.Writer) error
}

// metadata and line are rows of tables.
type metadata struct {
	Path    string `parquet:"image_path,snappy" json:"image_path"`
	Caption string `parquet:"caption,snappy" json:"caption"`
}

type line struct {
	Path    string    `parquet:"image_path,snappy" json:"image_path"`
	Caption string    `parquet:"caption,snappy" json:"caption"`
	Image   []float32 `parquet:"embedding,list" json:"embedding"`
}

type lineWithText struct {
	Path    string    `parquet:"image_path,snappy" json:"image_path"`
	Caption string    `parquet:"caption,snappy" json:"caption"`
	Image   []float32 `parquet:"embedding,list" json:"embedding"`
	Text    []float32 `parquet:"text_embedding,list" json:"text_embedding"`
}

// each makes a table of the rows.
func each[T any](r *rows, row func(i int) T) []T {
	list := make([]T, len(r.keys))
	for i := range list {
		list[i] = row(i)
	}
	return list
}

func (r *rows) metadata() []metadata {
	return each(r, func(i int) metadata { return metadata{r.keys[i], r.captions[i]} })
}

func (r *rows) lines() []line {
	return each(r, func(i int) line { return line{r.keys[i], r.captions[i], r.image(i)} })
}

func (r *rows) linesWithTexts() []lineWithText {
	return each(r, func(i int) lineWithText { return lineWithText{r.keys[i], r.captions[i], r.image(i), r.text(i)} })
}

// files are those of a part called x; none where it has no rows.
func (r *rows) files(f Format, x string, half bool) []file {
	if len(r.keys) == 0 {
		return nil
	}
	texts := len(r.texts) > 0
	switch f {
	case ClipRetrieval, NPY:
		list := []file{{"img_emb/img_emb_" + x + ".npy", func(w io.Writer) error { return npy.WriteFloats(w, r.images, r.dim, half) }}}
		if texts {
			list = append(list, file{"text_emb/text_emb_" + x + ".npy", func(w io.Writer) error { return npy.WriteFloats(w, r.texts, r.dim, half) }})
		}
		if f == NPY {
			return append(list, file{"metadata/metadata_" + x + ".jsonl", func(w io.Writer) error { return writeJSONLines(w, r.metadata()) }})
		}
		return append(list, file{"metadata/metadata_" + x + ".parquet", func(w io.Writer) error { return parquet.Write(w, r.metadata()) }})
	case NPZ:
		return []file{{"embeddings_" + x + ".npz", func(w io.Writer) error { return r.writeNPZ(w, half) }}}
	case Parquet:
		return []file{{"embeddings_" + x + ".parquet", func(w io.Writer) error {
			if texts {
				return parquet.Write(w, r.linesWithTexts())
			}
			return parquet.Write(w, r.lines())
		}}}
	}
	return []file{{"embeddings_" + x + ".jsonl", func(w io.Writer) error {
		if texts {
			return writeJSONLines(w, r.linesWithTexts())
		}
		return writeJSONLines(w, r.lines())
	}}}
}

func writeJSONLines[T any](w io.Writer, list []T) error {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	for _, one := range list {
		if err := e.Encode(one); err != nil {
			return err
		}
	}
	return nil
}

// maxNPZText bounds the texts of an .npz, which all take the room of the longest one.
const maxNPZText = 1 << 30

var errWideTexts = errors.New("embeddings: one text is so long that all in an .npz would take more than 1 GiB, since each takes the room of the longest: take smaller parts or another format")
