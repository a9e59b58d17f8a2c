package index

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"maps"
	"os"
	"slices"
	"strings"
	"unsafe"

	"github.com/goclip/goclip/encoder"
	"github.com/goclip/goclip/internal/enum"
	"github.com/goclip/goclip/internal/output"
	"github.com/goclip/goclip/internal/safetensors"
	"github.com/goclip/goclip/internal/tensorfile"
)

// An index is a safetensors file, which other programs read too, of three
// tensors:
//
//	embeddings  F32 (N, D), normalised rows in the order of their keys
//	ends        I64 (N, 2), where each row's key and meta end in text
//	text        U8, all keys and metas
//
// Its metadata are those below. Every tensor has a checksum. Version 5 has what rows.go says
// besides.
const (
	indexVersion   = "2"
	uprightVersion = "3"     // in which uprightKey is present
	draftVersion   = "4"     // in which draftKey and uprightKey are
	rowsVersion    = "5"     // in which these and rowsKey are
	firstVersion   = "1"     // in which modelKey is the model's FirstFingerprint
	maxDim         = 1 << 20 // as for the towers' EmbedDim

	versionKey = "goclip.index"         // one of the versions
	modelKey   = "goclip.index.model"   // fingerprint, or empty
	headerKey  = "goclip.index.header"  // CRC-32C of the others and the shapes
	uprightKey = "goclip.index.upright" // "true", or absent; "false" in draftVersion
	draftKey   = "goclip.index.draft"   // "true", or absent; "false" in rowsVersion
	rowsKey    = "goclip.index.rows"    // the name of Rows
)

// head is what the metadata say.
type head struct {
	version, model string
	upright, draft bool
	rows           Rows // AsBefore in earlier versions
}

// keys are the metadata of how images were prepared.
func (h *head) keys() map[string]string {
	switch {
	case h.version == rowsVersion:
		return map[string]string{draftKey: fmt.Sprint(h.draft), uprightKey: fmt.Sprint(h.upright), rowsKey: h.rows.String()}
	case h.version == draftVersion:
		return map[string]string{draftKey: "true", uprightKey: fmt.Sprint(h.upright)}
	case h.version == uprightVersion:
		return map[string]string{uprightKey: "true"}
	}
	return nil
}

// headerSum is the checksum of what no tensor's own checksum covers.
func (h *head) headerSum(embeddings []int) string {
	line := fmt.Sprintf("%s %s %d", h.version, h.model, embeddings)
	if h.version == rowsVersion {
		line += fmt.Sprintf(" %t %t %v", h.draft, h.upright, h.rows)
	} else if h.draft {
		line += fmt.Sprintf(" %t", h.upright)
	}
	return fmt.Sprintf("%08x", crc32.Checksum([]byte(line), crc32.MakeTable(crc32.Castagnoli)))
}

// SaveOptions say what may be replaced. The zero value is what [Index.Save] does.
type SaveOptions struct {
	Overwrite bool // replace another index
	Rows      Rows // how the file holds embeddings
}

// Save writes the index to a file: a new one, or the one that it was opened from or saved
// to before. Another index is not replaced, see [Index.SaveWith], and a file that is no
// index never. It replaces an older file only when it is
// complete, and its bytes depend on the entries alone, not on the order in
// which they were added.
//
// Windows does not replace a mapped file: there, save an opened index under
// another name, close it, and then rename the file.
func (x *Index) Save(path string) error { return x.SaveWith(path, SaveOptions{}) }

// Free is an error where [Index.SaveWith] would refuse to write a new index: what is at
// path is none, or with overwrite unset is one.
func Free(path string, overwrite bool) error {
	if err := output.Free(path, output.Kind{Name: "an index", Is: isIndex}, overwrite); err != nil {
		return fmt.Errorf("index: %w", err)
	}
	return nil
}

func isIndex(path string) bool {
	f, err := safetensors.Open(path)
	if err != nil {
		return false
	}
	defer f.Close()
	_, ok := f.Metadata()[versionKey]
	return ok
}

// SaveWith is [Index.Save] with options.
func (x *Index) SaveWith(path string, o SaveOptions) error {
	if x == nil {
		return errClosed
	}
	x.saving.Lock()
	defer x.saving.Unlock()
	x.mu.RLock()
	defer x.mu.RUnlock()
	if x.close == nil {
		return errClosed
	}
	if x.dim < 1 || x.dim > maxDim {
		return fmt.Errorf("index: save: Dim is %d, want 1 to %d", x.dim, maxDim)
	}
	there, err := os.Stat(path)
	if err := Free(path, o.Overwrite || err == nil && x.own != nil && os.SameFile(there, x.own)); err != nil {
		return err
	}
	if err := x.write(path, o.Rows, nil); err != nil {
		return fmt.Errorf("index: %w", err)
	}
	x.own, err = os.Stat(path)
	return err
}

// write writes a file, which takes keys out of the files before it where it is one of several.
func (x *Index) write(path string, r Rows, gone []Entry) error {
	h := x.head
	if r != AsBefore {
		if err := enum.Valid(r, rowsNames()); err != nil {
			return fmt.Errorf("SaveOptions.Rows %w", err)
		}
		h.rows = r
	}
	switch {
	case h.rows > Float32 && x.dim > mostBytes:
		return fmt.Errorf("rows %v for embeddings of %d numbers, want %d or fewer", h.rows, x.dim, mostBytes)
	case h.rows > Float32 || gone != nil:
		h.version, h.rows = rowsVersion, max(h.rows, Float32)
		if x.version == firstVersion {
			return errors.New("an index of version 1 cannot have rows of another kind: make it anew")
		}
	case h.draft:
		h.version = draftVersion
	case h.upright:
		h.version = uprightVersion
	case h.version == rowsVersion:
		h.version = indexVersion
	}
	tensors := x.tensors(&h, gone)
	sums, err := safetensors.Checksums(tensors)
	if err != nil {
		return err
	}
	meta := map[string]string{versionKey: h.version, modelKey: h.model, headerKey: h.headerSum([]int{x.live, x.dim}), safetensors.ChecksumKey: sums}
	maps.Copy(meta, h.keys())
	if err := safetensors.WriteFile(path, tensors, meta); err != nil {
		return err
	}
	x.rows = h.rows
	return nil
}

func (x *Index) tensors(h *head, gone []Entry) []safetensors.Tensor {
	rows := x.sorted()
	parts, entries := make([][]float32, len(rows)), make([]Entry, len(rows))
	for i, row := range rows {
		parts[i], entries[i] = x.row(row), x.entries[row]
	}
	embeddings := safetensors.Tensor{Name: "embeddings", Shape: []int{len(rows), x.dim}, Parts: parts}
	tensors := append(textOf("ends", "text", entries), embeddings)
	if h.version == rowsVersion {
		tensors = append(tensors, textOf("gone_ends", "gone", gone)...)
	}
	row := func(_ []float32, i int) []float32 { return parts[i] }
	if h.rows == Int8Float16 {
		p := &part{n: len(rows), dim: x.dim, half: halved(parts, x.dim)}
		tensors[2].DType, tensors[2].Parts, tensors[2].Raw, row = tensorfile.F16, nil, p.half, p.row
	}
	if h.rows > Float32 {
		tensors = append(tensors, bytesOf(len(rows), x.dim, row).tensors()...)
	}
	return tensors
}

// textOf are keys and metas.
func textOf(endsName, textName string, entries []Entry) []safetensors.Tensor {
	ends, text := make([]byte, 0, 16*len(entries)), []byte{}
	for _, e := range entries {
		for _, s := range []string{e.Key, e.Meta} {
			text = append(text, s...)
			ends = binary.LittleEndian.AppendUint64(ends, uint64(len(text)))
		}
	}
	return []safetensors.Tensor{
		{Name: endsName, DType: tensorfile.I64, Shape: []int{len(entries), 2}, Raw: ends},
		{Name: textName, DType: tensorfile.U8, Shape: []int{len(text)}, Raw: text},
	}
}

// Open opens a file that [Index.Save] wrote, with the embeddings mapped into memory where
// the system can do that; the file must not be changed or truncated while it is open;
// [Read] has no such limit. The model, where it is not nil, must have the fingerprint of
// the one that the index was made with. A file of another version, dimension or model is
// refused, and so is one that is damaged.
//
// Adding and deleting entries changes the file only when the index is saved. [Index.Close]
// releases the file.
func Open(path string, m *encoder.Model) (*Index, error) { return open(path, m, true) }

// OpenUnread is [Open] without the embeddings being read, in a few milliseconds where that takes
// as long as reading all of the file: header, keys and metas are compared with their
// checksums, embeddings with nothing. What is damaged in them gives wrong scores, and nothing
// worse; [Index.Verify] finds it. Where the system cannot map files it is Open.
func OpenUnread(path string, m *encoder.Model) (*Index, error) { return open(path, m, false) }

// Verify compares the embeddings of the file that the index was opened from with what they
// should be: normalised. It is for indexes of [OpenUnread].
func (x *Index) Verify() error {
	if x == nil {
		return errClosed
	}
	x.mu.RLock()
	defer x.mu.RUnlock()
	if x.close == nil {
		return errClosed
	}
	if x.verify != nil {
		if err := x.verify(); err != nil {
			return fmt.Errorf("index: %w", err)
		}
	}
	return x.normalised()
}

func open(path string, m *encoder.Model, whole bool) (*Index, error) {
	if info, err := os.Stat(path); err == nil && info.IsDir() {
		return openFolder(path, m, whole)
	}
	x, err := openFile(path, m, whole)
	if err != nil {
		return nil, fmt.Errorf("index: %w", err)
	}
	if own, err := os.Stat(path); err == nil {
		x.own = own
	}
	return x, nil
}

func openFile(path string, m *encoder.Model, whole bool) (*Index, error) {
	x, gone, err := openPart(path, m, whole)
	if err == nil && len(gone) > 0 {
		err = errors.Join(fmt.Errorf("%s is one of the files of an index: open their folder", path), x.Close())
	}
	return x, err
}

// openPart opens a file, which may be one of several.
func openPart(path string, m *encoder.Model, whole bool) (x *Index, gone []Entry, err error) {
	f, err := safetensors.Open(path)
	if err != nil {
		return nil, nil, err
	}
	if x, gone, err = read(f, m, whole); err != nil {
		return nil, nil, fmt.Errorf("%s: %w", path, errors.Join(err, f.Close()))
	}
	return x, gone, nil
}

// Read is [Open] with the embeddings copied into memory: the file may be changed,
// truncated or removed afterwards.
func Read(path string, m *encoder.Model) (*Index, error) {
	x, err := Open(path, m)
	if err != nil {
		return nil, err
	}
	for _, p := range x.parts {
		p.copied()
	}
	x.verify = nil
	err = x.close()
	x.close = func() error { return nil }
	return x, err
}

// read makes an index of one file, and returns the keys that it takes out of others.
func read(f *safetensors.File, m *encoder.Model, whole bool) (x *Index, gone []Entry, err error) {
	shape, h, err := readHead(f, m)
	if err != nil {
		return nil, nil, err
	}
	x = New(shape[1])
	x.head, x.close, x.verify = *h, f.Close, f.Verify
	if x.entries, err = readEntries(f, "ends", "text", shape[0]); err != nil {
		return nil, nil, err
	}
	if h.version == rowsVersion {
		info, _ := f.Info("gone_ends")
		if gone, err = readEntries(f, "gone_ends", "gone", info.Shape[0]); err != nil {
			return nil, nil, err
		}
	}
	x.first, x.live, x.gone = shape[0], shape[0], make([]bool, shape[0])
	p, err := readPart(f, h.rows, shape, !whole)
	if err != nil {
		return nil, nil, err
	}
	x.parts = []*part{p}
	if whole {
		err = x.normalised()
	}
	return x, gone, err
}

// readHead checks all that can be known before the tensors are read.
func readHead(f *safetensors.File, m *encoder.Model) (shape []int, h *head, err error) {
	meta := f.Metadata()
	version, ok := meta[versionKey]
	versions := []string{firstVersion, indexVersion, uprightVersion, draftVersion, rowsVersion}
	switch {
	case !ok:
		return nil, nil, fmt.Errorf("not an index: the metadata lack %s", versionKey)
	case !slices.Contains(versions, version):
		return nil, nil, fmt.Errorf("an index of version %q, want one of %q", version, versions)
	}
	h = &head{version: version, model: meta[modelKey], draft: version == draftVersion}
	h.upright = version == uprightVersion || h.draft && meta[uprightKey] == "true"
	if version == rowsVersion {
		h.draft, h.upright = meta[draftKey] == "true", meta[uprightKey] == "true"
		if err := h.rows.UnmarshalText([]byte(meta[rowsKey])); err != nil {
			return nil, nil, fmt.Errorf("metadata %s %w", rowsKey, err)
		}
	}
	keys, names := slices.Sorted(maps.Keys(meta)), slices.Sorted(slices.Values(f.Names()))
	want := []string{versionKey, headerKey, modelKey}
	for key, value := range h.keys() {
		want = append(want, key)
		if v := meta[key]; v != value {
			return nil, nil, fmt.Errorf("metadata %s is %q, want %s in version %s", key, v, value, version)
		}
	}
	slices.Sort(want)
	if !slices.Equal(keys, want) {
		return nil, nil, fmt.Errorf("metadata %q, want %q", keys, want)
	}
	if want := h.names(); !slices.Equal(names, want) {
		return nil, nil, fmt.Errorf("tensors %q, want %q", names, want)
	}
	embeddings, _ := f.Info("embeddings")
	shape = embeddings.Shape
	dtype := tensorfile.F32
	if h.rows == Int8Float16 {
		dtype = tensorfile.F16
	}
	if len(shape) != 2 || shape[1] < 1 || shape[1] > maxDim || h.rows > Float32 && shape[1] > mostBytes || embeddings.DType != dtype {
		return nil, nil, fmt.Errorf("embeddings are %s%v, want %s of entries by 1 to %d", embeddings.DType, shape, dtype, maxDim)
	}
	if err := h.fits(f, shape); err != nil {
		return nil, nil, err
	}
	if got, want := meta[headerKey], h.headerSum(shape); got != want {
		return nil, nil, fmt.Errorf("the header is damaged: its checksum is %q, want %s", got, want)
	}
	return shape, h, h.belongs(m, shape[1])
}

// belongs refuses an index of another model than m.
func (h *head) belongs(m *encoder.Model, dim int) error {
	if m == nil {
		return nil
	}
	if want := dimOf(m); dim != want {
		return fmt.Errorf("an index of dimension %d, but the model's is %d", dim, want)
	}
	p := m.Config().Preprocess
	if p != nil && p.Upright != h.upright {
		return fmt.Errorf("the index is of images with upright %t, but the model is to prepare them with upright %t: load it with Options.Upright %[1]t", h.upright, p.Upright)
	}
	draft := p != nil && p.Draft
	drafts := fmt.Errorf("the index is of images with draft %t, but the model is to prepare them with draft %t: load it with Options.Draft %[1]t", h.draft, draft)
	if h.draft && !draft || draft && (h.version == firstVersion || h.version == rowsVersion && !h.draft) {
		return drafts
	}
	if h.model == "" {
		return errors.New("the index does not say which model it was made with")
	}
	want := m.Fingerprint()
	if h.version == firstVersion {
		want = m.FirstFingerprint()
	}
	if h.model != want && draft != h.draft {
		return drafts
	}
	if h.model != want {
		return fmt.Errorf("the index was made with model %.12s…, not with %.12s…", h.model, want)
	}
	h.draft = draft // which files of earlier versions do not say
	return nil
}

// readEntries reads n keys, which rise, with their metas.
func readEntries(f *safetensors.File, endsName, textName string, n int) ([]Entry, error) {
	ends, err := f.Ints(endsName)
	if err != nil {
		return nil, err
	}
	raw, err := f.Bytes(textName)
	if err != nil {
		return nil, err
	}
	text := unsafe.String(unsafe.SliceData(raw), len(raw)) // which nobody else has
	entries, from := make([]Entry, n), int64(0)
	next := func(end int64) (string, bool) {
		if end < from || end > int64(len(text)) {
			return "", false
		}
		s := text[from:end]
		from = end
		return s, true
	}
	for i := range entries {
		e := &entries[i]
		var ok, okMeta bool
		e.Key, ok = next(ends[2*i])
		e.Meta, okMeta = next(ends[2*i+1])
		if !ok || !okMeta {
			return nil, fmt.Errorf("entry %d ends at %v of %d bytes of text, after one that ends at %d", i, ends[2*i:2*i+2], len(text), from)
		}
		if i > 0 && strings.Compare(entries[i-1].Key, e.Key) >= 0 {
			return nil, fmt.Errorf("key %q after %q: want rising keys", e.Key, entries[i-1].Key)
		}
	}
	if from != int64(len(text)) {
		return nil, fmt.Errorf("the entries end at byte %d of %d bytes of text", from, len(text))
	}
	return entries, nil
}
