package serve

import (
	"encoding/base64"
	"encoding/binary"
	"math"
	"net/http"
	"time"

	"github.com/goclip/goclip/nn"
)

// openAIRoutes are those of OpenAI's embeddings, and of the servers that understand them
// with images besides: infinity (which has them without /v1, too), Jina, vLLM.
func openAIRoutes() []route {
	d := &dialect{"openai", openAIError}
	return []route{
		{"POST /v1/embeddings", d, false, (*Server).openAIEmbeddings},
		{"GET /v1/models", d, false, (*Server).openAIModels},
		{"GET /v1/models/{name...}", d, false, (*Server).openAIModel},
		{"POST /embeddings", d, false, (*Server).openAIEmbeddings},
		{"GET /models", d, false, (*Server).infinityModels},
		{"GET /health", d, true, func(*Server, http.ResponseWriter, *http.Request) (any, error) {
			return map[string]any{"unix": float64(time.Now().UnixMilli()) / 1000}, nil
		}},
	}
}

// openAIError is an error as OpenAI's clients read it.
func openAIError(f *fault) any {
	kind, code := "invalid_request_error", any(nil)
	switch {
	case f.status == http.StatusUnauthorized:
		code = "invalid_api_key"
	case f.status == http.StatusNotFound:
		code = "model_not_found"
	case f.status == http.StatusTooManyRequests:
		kind, code = "requests", "rate_limit_exceeded"
	case f.status >= 500:
		kind = "server_error"
	}
	return map[string]any{"error": map[string]any{"message": f.message, "type": kind, "param": nil, "code": code}}
}

// infinityDefault is what infinity's client calls a model that it was not told.
const infinityDefault = "default/not-specified"

type openAIModelInfo struct {
	ID      string `json:"id"`
	Object  string `json:"object"`
	Created int64  `json:"created"`
	OwnedBy string `json:"owned_by"`
}

func openAIModelOf(name string) openAIModelInfo { return openAIModelInfo{name, "model", 0, "goclip"} }

func (s *Server) openAIModels(http.ResponseWriter, *http.Request) (any, error) {
	all := []openAIModelInfo{}
	for _, e := range s.models.entries {
		all = append(all, openAIModelOf(e.Name))
	}
	return map[string]any{"object": "list", "data": all}, nil
}

// infinityModels is openAIModels for infinity's client, which knows one owner only.
func (s *Server) infinityModels(http.ResponseWriter, *http.Request) (any, error) {
	type info struct {
		openAIModelInfo
		Stats        struct{} `json:"stats"`
		Backend      string   `json:"backend"`
		Capabilities []string `json:"capabilities"`
	}
	all := []info{}
	for _, e := range s.models.entries {
		i := info{openAIModelInfo: openAIModelOf(e.Name), Backend: "goclip", Capabilities: []string{"embed", "image_embed"}}
		i.OwnedBy = "infinity"
		all = append(all, i)
	}
	return map[string]any{"object": "list", "data": all}, nil
}

func (s *Server) openAIModel(_ http.ResponseWriter, r *http.Request) (any, error) {
	e, err := s.models.find(r.PathValue("name"))
	if err != nil {
		return nil, err
	}
	return openAIModelOf(e.Name), nil
}

type openAIEmbedding struct {
	Object    string `json:"object"`
	Index     int    `json:"index"`
	Embedding any    `json:"embedding"`
}

func (s *Server) openAIEmbeddings(w http.ResponseWriter, r *http.Request) (any, error) {
	var q openAIRequest
	free, err := s.readJSON(w, r, &q)
	if err != nil {
		return nil, err
	}
	defer free()
	format := "float"
	if q.EncodingFormat != nil {
		format = *q.EncodingFormat
	}
	if format != "float" && format != "base64" {
		return nil, bad("encoding_format is %.50q, want float or base64", format)
	}
	items, err := s.openAIItems(r, &q)
	if err != nil {
		return nil, err
	}
	name := ""
	if q.Model != nil && *q.Model != infinityDefault {
		if name = *q.Model; name == "" {
			return nil, bad("model is empty, want the name of one")
		}
	}
	out, err := s.encode(r.Context(), name, items)
	if err != nil {
		return nil, err
	}
	data, tokens := make([]openAIEmbedding, len(out)), 0
	for i, e := range out {
		row := e.row
		if q.Dimensions != nil && *q.Dimensions != 0 { // which infinity's client sends for all
			n := *q.Dimensions
			if n < 1 || n > len(row) {
				return nil, bad("dimensions is %d, want 1 to %d", n, len(row))
			}
			row = row[:n]
			if n < len(e.row) { // the first of them, as a vector of length one
				nn.NormalizeRow(row, row)
			}
		}
		data[i] = openAIEmbedding{"embedding", i, any(row)}
		if format == "base64" {
			data[i].Embedding = base64Of(row)
		}
		tokens += e.tokens
	}
	e, err := s.models.find(name)
	if err != nil {
		return nil, err
	}
	return map[string]any{
		"object": "list", "data": data, "model": e.Name,
		"usage": map[string]int{"prompt_tokens": tokens, "total_tokens": tokens},
	}, nil
}

// base64Of is a vector as little-endian float32.
func base64Of(row []float32) string {
	data := make([]byte, 0, 4*len(row))
	for _, v := range row {
		data = binary.LittleEndian.AppendUint32(data, math.Float32bits(v))
	}
	return base64.StdEncoding.EncodeToString(data)
}
