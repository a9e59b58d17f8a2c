package serve

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"mime/multipart"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// immich is the dialect of Immich's machine-learning service
// (github.com/immich-app/immich, machine-learning/immich_ml/main.py). A request names tasks,
// for each of which the answer has a field; vectors are JSON within a string.
func immichRoutes() []route {
	d := &dialect{"immich", func(f *fault) any { return map[string]any{"detail": f.message} }}
	return []route{
		{"GET /ping", d, true, func(_ *Server, w http.ResponseWriter, _ *http.Request) (any, error) {
			plainText(w, "pong")
			return nil, nil
		}},
		{"POST /predict", d, false, (*Server).immichPredict},
	}
}

// immichEntry is what a request wants of one model.
type immichEntry struct {
	ModelName *string `json:"modelName"`
	Options   struct {
		Language string `json:"language"`
	} `json:"options"`
}

// immichTasks are the entries by task and type, the types of other tasks as they came.
type immichTasks map[string]map[string]json.RawMessage

const clipTask = "clip"

func (s *Server) immichPredict(w http.ResponseWriter, r *http.Request) (any, error) {
	parts, _, free, err := s.readForm(w, r)
	if err != nil {
		return nil, err
	}
	defer free()
	var entries, text, image *part
	for i := range parts {
		switch p := &parts[i]; p.name {
		case "entries":
			entries = p
		case "text":
			text = p
		case "image":
			image = p
		}
	}
	if entries == nil {
		return nil, refused(http.StatusUnprocessableEntity, "the form has no field entries")
	}
	var tasks immichTasks
	if err := decodeJSON(entries.data, &tasks); err != nil {
		return nil, refused(http.StatusUnprocessableEntity, "Invalid request format: entries: %s", err.Error())
	}
	wanted, err := clipEntries(tasks[clipTask])
	if err != nil {
		return nil, err
	}
	if image == nil && (text == nil || len(text.data) == 0) {
		return nil, bad("Either image or text must be provided")
	}
	answer := map[string]any{}
	delete(tasks, clipTask)
	if len(tasks) > 0 {
		if err := s.immichUpstream(r.Context(), tasks, text, image, answer); err != nil {
			return nil, err
		}
	}
	for kind, e := range wanted {
		it := item{}
		switch {
		case kind == "visual" && image != nil:
			it.image = nonNil(image.data)
		case kind == "textual" && image == nil:
			it.text, it.language = string(text.data), e.Options.Language
		default:
			return nil, bad("clip's %s was asked for, but the form has the other of image and text", kind)
		}
		out, err := s.encode(r.Context(), *e.ModelName, []item{it})
		if err != nil {
			return nil, err
		}
		vector, err := json.Marshal(out[0].row)
		if err != nil {
			return nil, err
		}
		answer[clipTask] = string(vector)
		if image != nil {
			answer["imageHeight"], answer["imageWidth"] = out[0].height, out[0].width
		}
	}
	return answer, nil
}

// clipEntries reads the entries of the task that is ours.
func clipEntries(types map[string]json.RawMessage) (map[string]immichEntry, error) {
	wanted := map[string]immichEntry{}
	for kind, raw := range types {
		var e immichEntry
		err := decodeJSON(raw, &e)
		switch {
		case kind != "visual" && kind != "textual":
			err = bad("the task clip has no type %.100q", kind)
		case err == nil && e.ModelName == nil:
			err = bad("modelName is missing")
		}
		if err != nil {
			return nil, refused(http.StatusUnprocessableEntity, "Invalid request format: entries: clip: %s", err.Error())
		}
		wanted[kind] = e
	}
	return wanted, nil
}

// nonNil is a file, empty or not.
func nonNil(data []byte) []byte {
	if data == nil {
		return []byte{}
	}
	return data
}

// maxUpstream limits what an upstream answers.
const maxUpstream = 64 << 20

// immichUpstream has another server do tasks, and adds its fields to the answer.
func (s *Server) immichUpstream(ctx context.Context, tasks immichTasks, text, image *part, answer map[string]any) error {
	if s.o.Upstream == nil {
		var names []string
		for task := range tasks {
			names = append(names, task)
		}
		return refused(http.StatusNotImplemented, "this server does the task clip alone, and has no upstream for %.200q", strings.Join(names, ", "))
	}
	var form bytes.Buffer
	mw := multipart.NewWriter(&form)
	entries, err := json.Marshal(tasks)
	if err == nil {
		err = mw.WriteField("entries", string(entries))
	}
	if err == nil && image != nil {
		var f io.Writer
		if f, err = mw.CreateFormFile("image", "blob"); err == nil {
			_, err = f.Write(image.data)
		}
	} else if err == nil {
		err = mw.WriteField("text", string(text.data))
	}
	if err = errors.Join(err, mw.Close()); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, 5*time.Minute)
	defer cancel()
	u := s.o.Upstream.ResolveReference(&url.URL{Path: strings.TrimSuffix(s.o.Upstream.Path, "/") + "/predict"})
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, u.String(), &form)
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", mw.FormDataContentType())
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return &fault{status: http.StatusBadGateway, message: "the upstream cannot be reached", cause: err}
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxUpstream+1))
	switch {
	case err != nil || len(body) > maxUpstream:
		return &fault{status: http.StatusBadGateway, message: "the upstream's answer is cut off", cause: errors.Join(err, errors.New("upstream"))}
	case resp.StatusCode/100 == 4:
		var said struct {
			Detail any `json:"detail"`
		}
		_ = json.Unmarshal(body, &said)
		return refused(resp.StatusCode, "the upstream refused it: %v", said.Detail)
	case resp.StatusCode != http.StatusOK:
		return refused(http.StatusBadGateway, "the upstream answered with status %d", resp.StatusCode)
	}
	fields := map[string]json.RawMessage{}
	if err := json.Unmarshal(body, &fields); err != nil {
		return &fault{status: http.StatusBadGateway, message: "the upstream's answer is no JSON object", cause: err}
	}
	for name, v := range fields {
		answer[name] = v
	}
	return nil
}
