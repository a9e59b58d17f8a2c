package embeddings

import (
	"archive/zip"
	"io"

	"github.com/goclip/goclip/internal/npy"
)

// writeNPZ writes what numpy.savez would: a zip without compression. It has no times.
func (r *rows) writeNPZ(w io.Writer, half bool) error {
	if 4*int64(len(r.keys))*int64(max(npy.TextWidth(r.keys), npy.TextWidth(r.captions))) > maxNPZText {
		return errWideTexts
	}
	z := zip.NewWriter(w)
	for _, a := range []struct {
		name  string
		write func(io.Writer) error
	}{
		{"img_emb", func(w io.Writer) error { return npy.WriteFloats(w, r.images, r.dim, half) }},
		{"text_emb", func(w io.Writer) error { return npy.WriteFloats(w, r.texts, r.dim, half) }},
		{"image_path", func(w io.Writer) error { return npy.WriteTexts(w, r.keys) }},
		{"caption", func(w io.Writer) error { return npy.WriteTexts(w, r.captions) }},
	} {
		if a.name == "text_emb" && len(r.texts) == 0 {
			continue
		}
		entry, err := z.CreateHeader(&zip.FileHeader{Name: a.name + ".npy", Method: zip.Store})
		if err != nil {
			return err
		}
		if err := a.write(entry); err != nil {
			return err
		}
	}
	return z.Close()
}
