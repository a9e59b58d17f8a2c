package serve

import (
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/goclip/goclip/encoder"
	"github.com/goclip/goclip/index"
	"github.com/goclip/goclip/internal/tensorfile"
	"github.com/goclip/goclip/nn"
)

func TestWeaviate(t *testing.T) {
	_, base := serving(t, nil)
	m := load(t)
	for _, probe := range []string{"/.well-known/ready", "/.well-known/live"} {
		resp, err := http.Get(base + probe)
		check(t, err)
		resp.Body.Close()
		if resp.StatusCode != http.StatusNoContent {
			t.Errorf("%s: status %d, want 204", probe, resp.StatusCode)
		}
	}
	if status, _, _ := replay(t, base, "weaviate-ready"); status != http.StatusNoContent {
		t.Errorf("ready: %d", status)
	}
	var meta map[string]any
	answered(t, base, "weaviate-meta", &meta)
	type answer struct {
		TextVectors, ImageVectors [][]float32
		Error                     string
	}
	for name, texts := range map[string][]string{"weaviate-object": {"a red triangle"}, "weaviate-near-text": {"triangle"}, "weaviate-near-image": {}} {
		var a answer
		answered(t, base, name, &a)
		if len(a.TextVectors) != len(texts) || a.ImageVectors == nil || a.TextVectors == nil {
			t.Fatalf("%s: %d and %d vectors", name, len(a.TextVectors), len(a.ImageVectors))
		}
		for i, text := range texts {
			same(t, name, a.TextVectors[i], rowOf(t, m, text, nil))
		}
		for _, row := range a.ImageVectors {
			same(t, name, row, rowOf(t, m, "", photo(t)))
		}
		if (len(a.ImageVectors) == 1) == (name == "weaviate-near-text") {
			t.Errorf("%s: %d vectors of images", name, len(a.ImageVectors))
		}
	}
	for body, says := range map[string]string{
		`{"texts":"a"}`:                   "array",
		`[]`:                              "object",
		`{"texts":[1]}`:                   "string",
		`{"images":["!"]}`:                "base64",
		`{"images":["R0lGODlh"]}`:         "cannot be read",
		`{"images":["https://a.b/c"]}`:    "fetches none",
		`{"texts":["a"]`:                  "JSON",
		"{\"texts\":[\"\xff\"]}":          "UTF-8",
		`{"texts":["a","` + big() + `"]}`: "input 1: a text of",
	} {
		var a answer
		if status := post(t, base+"/vectorize", body, &a); status != http.StatusBadRequest || !strings.Contains(a.Error, says) {
			t.Errorf("%.40s: got %d %q, want 400 and %q", body, status, a.Error, says)
		}
	}
}

func big() string { return strings.Repeat("word ", 1<<14) }

type openAIAnswer struct {
	Object, Model string
	Data          []struct {
		Object    string
		Index     int
		Embedding json.RawMessage
	}
	Usage struct {
		Prompt int `json:"prompt_tokens"`
		Total  int `json:"total_tokens"`
	}
	Error struct {
		Message, Type string
		Code          *string
	}
}

// rows reads the embeddings in either format.
func (a openAIAnswer) rows(t *testing.T) (rows [][]float32) {
	t.Helper()
	for _, d := range a.Data {
		var row []float32
		if d.Embedding[0] == '"' {
			var text string
			check(t, json.Unmarshal(d.Embedding, &text))
			data, err := base64.StdEncoding.DecodeString(text)
			check(t, err)
			for b := range slices.Chunk(data, 4) {
				row = append(row, math.Float32frombits(binary.LittleEndian.Uint32(b)))
			}
		} else {
			check(t, json.Unmarshal(d.Embedding, &row))
		}
		rows = append(rows, row)
	}
	return rows
}

func TestOpenAI(t *testing.T) {
	_, base := serving(t, nil)
	m := load(t)
	const circle = "a red circle on a white background"
	words, picture := rowOf(t, m, circle, nil), rowOf(t, m, "", photo(t))
	first := slices.Clone(words[:4])
	nn.NormalizeRow(first, first)
	e, err := m.TextFeatures(t.Context(), padded(m, 49406, 320, 1125, 49407))
	check(t, err)
	ids := slices.Clone(e.Row(0))
	nn.NormalizeRow(ids, ids)
	same(t, "token ids", ids, rowOf(t, m, "a photo", nil))
	for name, c := range map[string]struct {
		want   [][]float32
		tokens int
	}{
		"openai-py-text-default":    {[][]float32{words, rowOf(t, m, "two cats", nil)}, 13},
		"openai-py-text-float-dims": {[][]float32{first}, 9},
		"openai-py-tokens":          {[][]float32{ids}, 4},
		"openai-py-infinity-image":  {[][]float32{picture}, 0},
		"openai-py-jina-input":      {[][]float32{picture, words}, 9},
		"openai-py-vllm-messages":   {[][]float32{picture, words}, 9},
		"infinity-client-image":     {[][]float32{picture}, 0},
	} {
		var a openAIAnswer
		answered(t, base, name, &a)
		rows := a.rows(t)
		if a.Object != "list" || a.Model != "ViT-B-32__openai" || len(rows) != len(c.want) {
			t.Fatalf("%s: got %d embeddings of %q, want %d", name, len(rows), a.Model, len(c.want))
		}
		if a.Usage.Prompt != c.tokens || a.Usage.Total != c.tokens {
			t.Errorf("%s: got %+v, want %d tokens", name, a.Usage, c.tokens)
		}
		for i, row := range rows {
			same(t, name, row, c.want[i])
			if a.Data[i].Index != i || a.Data[i].Object != "embedding" {
				t.Errorf("%s: element %d is %d, %q", name, i, a.Data[i].Index, a.Data[i].Object)
			}
		}
		if asked64 := strings.Contains(string(recorded(t, name)), `"base64"`); (a.Data[0].Embedding[0] == '"') != asked64 {
			t.Errorf("%s: got %.20s, asked for base64: %t", name, a.Data[0].Embedding, asked64)
		}
	}
	var models struct {
		Object string
		Data   []struct{ ID, Object, OwnedBy string }
	}
	answered(t, base, "openai-py-models", &models)
	if len(models.Data) != 1 || models.Data[0].ID != "ViT-B-32__openai" || models.Data[0].Object != "model" || models.Object != "list" {
		t.Errorf("models: %+v", models)
	}
	resp, err := http.Get(base + "/v1/models/mixed/clip")
	check(t, err)
	resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		t.Errorf("a model by a name with a slash: %d", resp.StatusCode)
	}
}

func padded(m *encoder.Model, ids ...int32) []int32 {
	all := make([]int32, m.Config().Text.Dims().ContextLength)
	if _, err := m.Tokenize(all, ""); err != nil {
		panic(err)
	}
	for i := 1; i < len(all); i++ {
		all[i] = all[len(all)-1]
	}
	copy(all, ids)
	return all
}

func TestOpenAIRefuses(t *testing.T) {
	_, base := serving(t, func(o *Options) { o.MaxItems = 3 })
	for body, c := range map[string]struct {
		status int
		says   string
	}{
		`{"model":"m"}`:                                                   {400, "input is missing"},
		`{"model":"m","input":null}`:                                      {400, "input is missing"},
		`{"model":"m","input":[]}`:                                        {400, "empty"},
		`{"model":"m","input":""}`:                                        {400, "empty"},
		`{"model":"m","input":["a",""]}`:                                  {400, "input 1: the text is empty"},
		`{"model":"m","input":5}`:                                         {400, "want a string"},
		`{"model":"m","input":["a",5]}`:                                   {400, "input 1"},
		`{"model":"m","input":[[1.5]]}`:                                   {400, "token id 1.5"},
		`{"model":"m","input":[[]]}`:                                      {400, "0 token ids"},
		`{"model":"m","input":[-1]}`:                                      {400, "token id -1"},
		`{"model":"m","input":[[999999]]}`:                                {400, "999999"},
		`{"model":"m","input":[["a"]]}`:                                   {400, "token ids"},
		`{"model":"m","input":["a","b","c","d"]}`:                         {413, "at most 3"},
		`{"model":"m","input":"a","encoding_format":"hex"}`:               {400, "hex"},
		`{"model":"m","input":"a","dimensions":-1}`:                       {400, "dimensions"},
		`{"model":"m","input":"a","dimensions":9999}`:                     {400, "dimensions"},
		`{"model":"m","input":"a","dimensions":"4"}`:                      {400, "dimensions"},
		`{"model":"m","input":"a","modality":"audio"}`:                    {400, "audio"},
		`{"model":"m","input":"a","modality":"image"}`:                    {400, "base64"},
		`{"model":"m","input":[{"text":"a","image":"b"}]}`:                {400, "either"},
		`{"model":"m","input":[{}]}`:                                      {400, "either"},
		`{"model":"m","input":[{"image":"data:image/png,abc"}]}`:          {400, "base64"},
		`{"model":"m","messages":[]}`:                                     {400, "neither"},
		`{"model":"m","messages":[{"role":"user"}]}`:                      {400, "no content"},
		`{"model":"m","messages":[{"content":5}]}`:                        {400, "content"},
		`{"model":"m","messages":[{"content":[{"type":"input_audio"}]}]}`: {400, "input_audio"},
		`{"model":"m","input":"a","messages":[]}`:                         {400, "both"},
		`{"model":"gpt-4","input":"a"}`:                                   {404, "gpt-4"},
		`{"model":"","input":"a"}`:                                        {400, "model is empty"},
		`{"model":5,"input":"a"}`:                                         {400, "model"},
		`{"model":"m","input":"a"} x`:                                     {400, "JSON"},
		``:                                                                {400, "JSON"},
		strings.Repeat("[", 20000):                                        {400, "JSON"},
	} {
		var a openAIAnswer
		status := post(t, base+"/v1/embeddings", body, &a)
		if status != c.status || !strings.Contains(a.Error.Message, c.says) || a.Error.Type != "invalid_request_error" {
			t.Errorf("%.60s: got %d %+v, want %d and %q", body, status, a.Error, c.status, c.says)
		}
	}
	if status, _, body := sendRaw(t, base, []byte("DELETE /v1/embeddings HTTP/1.1\r\nHost: a\r\n\r\n")); status != 405 || !strings.Contains(string(body), `"type":"invalid_request_error"`) {
		t.Errorf("DELETE: %d %s", status, body)
	}
}

func TestPhotofield(t *testing.T) {
	_, base := serving(t, nil)
	m := load(t)
	type halves struct {
		Field, Filename, Text string
		Data                  string `json:"embedding_f16_b64"`
		InvNorm               uint16 `json:"embedding_inv_norm_f16_uint16"`
	}
	var a struct{ Images, Texts []halves }
	answered(t, base, "photofield-image", &a)
	answered(t, base, "photofield-text", &a)
	if len(a.Images) != 1 || len(a.Texts) != 1 || a.Images[0].Field != "image" || a.Images[0].Filename != "image" || a.Texts[0].Text != "a red circle" {
		t.Fatalf("got %+v", a)
	}
	for i, h := range []halves{a.Images[0], a.Texts[0]} {
		want := rowOf(t, m, "a red circle", nil)
		if i == 0 {
			want = rowOf(t, m, "", photo(t))
		}
		data, err := base64.StdEncoding.DecodeString(h.Data)
		check(t, err)
		var bits, wanted []uint16
		norm := 0.0
		for b := range slices.Chunk(data, 2) {
			bits = append(bits, binary.LittleEndian.Uint16(b))
			v := float64(tensorfile.Float16(bits[len(bits)-1]))
			norm += v * v
		}
		for _, v := range want {
			wanted = append(wanted, tensorfile.ToFloat16(v))
		}
		if !slices.Equal(bits, wanted) {
			t.Errorf("got %v, want the encoder's rounded to float16, %v", bits, wanted)
		}
		// Half of float16's unit in the last place below 2 is 2^-11.
		if got := float64(tensorfile.Float16(h.InvNorm)) * math.Sqrt(norm); !(math.Abs(got-1) <= math.Ldexp(1, -10)) {
			t.Errorf("inverse norm times norm is %v, want 1", got)
		}
	}
	for path, body := range map[string]string{"/text-embeddings": `{"texts":[]}`, "/image-embeddings": `{}`} {
		var e struct{ Error string }
		if status := post(t, base+path, body, &e); status/100 != 4 || e.Error == "" {
			t.Errorf("%s: %d %+v", path, status, e)
		}
	}
}

// shelf is an index of texts' embeddings, which are as good as images' here.
func shelf(t *testing.T, m *encoder.Model, keys ...string) *index.Index {
	t.Helper()
	x := index.Of(m)
	e, err := m.EncodeTexts(t.Context(), keys...)
	check(t, err)
	var entries []index.Entry
	for i, k := range keys {
		entries = append(entries, index.Entry{Key: fmt.Sprintf("%d.jpg", len(keys)-i), Meta: k})
	}
	check(t, x.Add(entries, e))
	t.Cleanup(func() { check(t, x.Close()) })
	return x
}

func TestRetrieval(t *testing.T) {
	m := load(t)
	x := shelf(t, m, "a dog on a beach", "two cats", "a red car", `{"caption":"a boat","url":"http://a/b"}`, "two  cats")
	_, base := serving(t, func(o *Options) { o.Index, o.IndexNames = x, []string{"idx"} })
	type hit struct {
		ID         int
		Similarity float64
		Caption    *string
		Path       string `json:"image_path"`
		URL        string
	}
	var hits []hit
	if status := post(t, base+"/knn-service", `{"text":"two cats","image":null,"image_url":null,"embedding_input":null,"modality":"image","num_images":2,"num_result_ids":5,"indice_name":"idx","deduplicate":false,"use_safety_model":false,"use_violence_detector":false}`, &hits); status != 200 {
		t.Fatalf("status %d", status)
	}
	want, err := x.Search(rowOf(t, m, "two cats", nil), 5, nil)
	check(t, err)
	if len(hits) != len(want) {
		t.Fatalf("got %d hits, want %d", len(hits), len(want))
	}
	keys := []string{"1.jpg", "2.jpg", "3.jpg", "4.jpg", "5.jpg"}
	for i, h := range hits {
		if h.Similarity != want[i].Score || keys[h.ID] != want[i].Key || (h.Caption != nil) != (i < 2) {
			t.Errorf("hit %d: got %+v, want %+v", i, h, want[i])
		}
	}
	var again []hit
	row, _ := json.Marshal(rowOf(t, m, "two cats", nil))
	post(t, base+"/knn-service", `{"embedding_input":`+string(row)+`,"num_images":4,"indice_name":"idx","deduplicate":true}`, &again)
	if len(again) >= 5 || *again[0].Caption != "two  cats" && *again[0].Caption != "two cats" {
		t.Errorf("two entries of one text, one of them wanted: got %d of 5, %+v", len(again), again)
	}
	var meta []struct {
		ID       int
		Metadata map[string]string
	}
	post(t, base+"/metadata", `{"ids":[1,0],"indice_name":"idx"}`, &meta)
	if len(meta) != 2 || meta[0].ID != 1 || meta[0].Metadata["caption"] != "a boat" || meta[0].Metadata["url"] != "http://a/b" || meta[1].Metadata["image_path"] != "1.jpg" {
		t.Errorf("metadata: %+v", meta)
	}
	var names []string
	resp, err := http.Get(base + "/indices-list")
	check(t, err)
	check(t, json.NewDecoder(resp.Body).Decode(&names))
	resp.Body.Close()
	if !slices.Equal(names, []string{"idx"}) {
		t.Errorf("indices: %q", names)
	}
	for body, says := range map[string]string{
		`{}`:                                 "no text",
		`{"text":"a","indice_name":"laion"}`: "laion",
		`{"text":"a","modality":"text"}`:     "modality",
		`{"embedding_input":[1,2]}`:          "2 numbers",
		`{"text":"a","num_images":-1}`:       "num_images",
		`{"image":"x"}`:                      "base64",
		`{"image_url":"http://127.0.0.1/"}`:  "fetches none",
	} {
		var e struct{ Message string }
		if status := post(t, base+"/knn-service", body, &e); status/100 != 4 || !strings.Contains(e.Message, says) {
			t.Errorf("%s: got %d %q, want %q", body, status, e.Message, says)
		}
	}
	var e struct{ Message string }
	if status := post(t, base+"/metadata", `{"ids":[5]}`, &e); status != 400 || !strings.Contains(e.Message, "id 5") {
		t.Errorf("an id that is not there: %d %+v", status, e)
	}
}

// TestOwn: classify and search say what the library says.
func TestOwn(t *testing.T) {
	m := load(t)
	x := shelf(t, m, "a dog on a beach", "two cats", "a red car")
	_, base := serving(t, func(o *Options) { o.Index = x })
	var found struct {
		Hits []struct {
			Key, Caption string
			Score        float64
		}
	}
	if status := post(t, base+"/api/search", `{"text":"a dog","k":2}`, &found); status != 200 || len(found.Hits) != 2 {
		t.Fatalf("search: %d %+v", status, found)
	}
	want, err := x.Search(rowOf(t, m, "a dog", nil), 2, nil)
	check(t, err)
	for i, h := range found.Hits {
		if h.Key != want[i].Key || h.Score != want[i].Score || h.Caption != want[i].Meta {
			t.Errorf("hit %d: got %+v, want %+v", i, h, want[i])
		}
	}
	resp, err := http.Get(base + "/api/search?q=a+dog&k=1")
	check(t, err)
	check(t, json.NewDecoder(resp.Body).Decode(&found))
	resp.Body.Close()
	if len(found.Hits) != 1 || found.Hits[0].Key != want[0].Key {
		t.Errorf("search by GET: %+v", found)
	}
	var named struct {
		Model       string
		Predictions []prediction
		Error       string
	}
	file := base64.StdEncoding.EncodeToString(photo(t))
	for range 2 { // the second time from those that are kept
		if status := post(t, base+"/api/classify", `{"image":"`+file+`","labels":["cat","a_dog"],"templates":["a {}","the {}"],"top":1}`, &named); status != 200 {
			t.Fatalf("classify: %d %+v", status, named)
		}
		c, err := m.NewClassifier(t.Context(), []string{"cat", "a_dog"}, "a {}", "the {}")
		check(t, err)
		row := rowOf(t, m, "", photo(t))
		best := c.Predict(&encoder.Embeddings{N: 1, Dim: len(row), Data: row})[0][0]
		if p := named.Predictions; len(p) != 1 || p[0] != prediction(best) {
			t.Errorf("got %+v, want %+v", p, best)
		}
	}
	for body, says := range map[string]string{
		`{"labels":["a"]}`: "image is missing", `{"image":"` + file + `"}`: "labels",
		`{"image":"` + file + `","labels":["a"],"templates":["x"]}`: "no {}", `{"image":"` + file + `","labels":["a"],"top":0}`: "top",
	} {
		if status := post(t, base+"/api/classify", body, &named); status != 400 || !strings.Contains(named.Error, says) {
			t.Errorf("%.30s…: got %d %q, want 400 and %q", body, status, named.Error, says)
		}
	}
	for _, path := range []string{"/nothing", "/page/x", "/api/thumb?key=a"} {
		resp, err := http.Get(base + path)
		check(t, err)
		resp.Body.Close()
		if resp.StatusCode != http.StatusNotFound {
			t.Errorf("%s: %d, want 404", path, resp.StatusCode)
		}
	}
}
