package serve

import (
	"encoding/base64"
	"encoding/binary"
	"math"
	"net/http"

	"github.com/goclip/goclip/internal/tensorfile"
)

// photofieldRoutes are those of photofield-ai, which photofield asks
// (github.com/SmilyOrg/photofield, internal/clip/ai.go).
func photofieldRoutes() []route {
	d := &dialect{"photofield", func(f *fault) any { return map[string]any{"error": f.message} }}
	return []route{
		{"POST /image-embeddings", d, false, (*Server).photofieldImages},
		{"POST /text-embeddings", d, false, (*Server).photofieldTexts},
	}
}

// halves is an embedding in float16 with the inverse of the norm that it has there, whose
// bits are sent as a number.
type halves struct {
	Data    string `json:"embedding_f16_b64"`
	InvNorm uint16 `json:"embedding_inv_norm_f16_uint16"`
}

func halvesOf(row []float32) halves {
	data, sum := make([]byte, 0, 2*len(row)), 0.0
	for _, v := range row {
		h := tensorfile.ToFloat16(v)
		data = binary.LittleEndian.AppendUint16(data, h)
		f := float64(tensorfile.Float16(h))
		sum += f * f
	}
	return halves{base64.StdEncoding.EncodeToString(data), tensorfile.ToFloat16(float32(1 / math.Sqrt(sum)))}
}

func (s *Server) photofieldImages(w http.ResponseWriter, r *http.Request) (any, error) {
	parts, _, free, err := s.readForm(w, r)
	if err != nil {
		return nil, err
	}
	defer free()
	var items []item
	for _, p := range parts {
		items = append(items, item{image: nonNil(p.data)})
	}
	if len(items) == 0 {
		return nil, bad("the form has no image")
	}
	out, err := s.encode(r.Context(), "", items)
	if err != nil {
		return nil, err
	}
	type image struct {
		Field string `json:"field"`
		File  string `json:"filename"`
		halves
	}
	images := make([]image, len(out))
	for i, p := range parts {
		images[i] = image{p.name, p.file, halvesOf(out[i].row)}
	}
	return map[string]any{"images": images}, nil
}

func (s *Server) photofieldTexts(w http.ResponseWriter, r *http.Request) (any, error) {
	var q struct{ Texts []string }
	free, err := s.readJSON(w, r, &q)
	if err != nil {
		return nil, err
	}
	defer free()
	if len(q.Texts) == 0 {
		return nil, bad("texts is missing or empty")
	}
	items := make([]item, len(q.Texts))
	for i, t := range q.Texts {
		items[i].text = t
	}
	out, err := s.encode(r.Context(), "", items)
	if err != nil {
		return nil, err
	}
	type text struct {
		Text string `json:"text"`
		halves
	}
	texts := make([]text, len(out))
	for i := range out {
		texts[i] = text{q.Texts[i], halvesOf(out[i].row)}
	}
	return map[string]any{"texts": texts}, nil
}
