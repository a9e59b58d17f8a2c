package serve

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"net/http"
)

// openAIRequest is what clients of embeddings send. OpenAI's own have input as a text, texts,
// token ids or lists of them. For images there are three spellings: infinity's modality says
// that the strings of input are images; an element of Jina's input is {"image": …} or
// {"text": …}; vLLM takes messages as a chat does.
type openAIRequest struct {
	Model          *string         `json:"model"`
	Input          json.RawMessage `json:"input"`
	Messages       []openAIMessage `json:"messages"`
	Modality       *string         `json:"modality"`
	EncodingFormat *string         `json:"encoding_format"`
	Dimensions     *int            `json:"dimensions"`
}

type openAIMessage struct {
	Role    string          `json:"role"`
	Content json.RawMessage `json:"content"`
}

// openAIPart is part of a message.
type openAIPart struct {
	Type     string  `json:"type"`
	Text     *string `json:"text"`
	ImageURL *struct {
		URL string `json:"url"`
	} `json:"image_url"`
}

func (s *Server) openAIItems(r *http.Request, q *openAIRequest) ([]item, error) {
	hasInput := len(q.Input) > 0 && string(q.Input) != "null"
	switch {
	case hasInput && q.Messages != nil:
		return nil, bad("there are both input and messages, want one of them")
	case hasInput:
		return s.openAIInput(r, q)
	case q.Messages != nil:
		return s.openAIMessages(r, q.Messages)
	}
	return nil, bad("input is missing")
}

// openAIInput reads a single element or a list of them.
func (s *Server) openAIInput(r *http.Request, q *openAIRequest) ([]item, error) {
	images := false
	switch {
	case q.Modality == nil || *q.Modality == "text":
	case *q.Modality == "image":
		images = true
	default:
		return nil, bad("modality is %.50q, want text or image", *q.Modality)
	}
	elements := []json.RawMessage{q.Input}
	if q.Input[0] == '[' {
		elements = nil // or it would be decoded into Input's own memory
		if err := decodeJSON(q.Input, &elements); err != nil {
			return nil, err
		}
		if len(elements) == 0 {
			return nil, bad("input is empty, want at least one text or image")
		}
		if isNumber(elements[0]) { // the token ids of one text
			elements = []json.RawMessage{q.Input}
		}
	}
	items := make([]item, len(elements))
	for i, e := range elements {
		if i >= s.o.MaxItems {
			break // encode says so
		}
		it, err := s.openAIElement(r, e, images)
		if err != nil {
			f := *faultOf(err)
			f.message = fmt.Sprintf("input %d: %s", i, f.message)
			return nil, &f
		}
		items[i] = it
	}
	return items, nil
}

func isNumber(e json.RawMessage) bool { return e[0] == '-' || e[0] >= '0' && e[0] <= '9' }

// openAIElement reads a string, token ids or an object of Jina's.
func (s *Server) openAIElement(r *http.Request, e json.RawMessage, images bool) (it item, err error) {
	switch e[0] {
	case '"':
		if err = decodeJSON(e, &it.text); err != nil {
			return it, err
		}
		if images {
			it.image, err = s.image(r, it.text)
			return it, err
		}
		if it.text == "" {
			return it, bad("the text is empty")
		}
		return it, nil
	case '[':
		var ids []float64
		if err := decodeJSON(e, &ids); err != nil {
			return it, bad("it is a list of something else than token ids")
		}
		it.ids = []int32{}
		for _, id := range ids {
			if id != math.Trunc(id) || math.Abs(id) > math.MaxInt32 {
				return it, bad("it has the token id %v, want an integer", id)
			}
			it.ids = append(it.ids, int32(id))
		}
		return it, nil
	case '{':
		var o struct{ Text, Image *string }
		if err := decodeJSON(e, &o); err != nil {
			return it, err
		}
		switch {
		case (o.Text == nil) == (o.Image == nil):
			return it, bad("an object has either text or image")
		case o.Text != nil:
			it.text = *o.Text
			return it, nil
		}
		it.image, err = s.image(r, *o.Image)
		return it, err
	}
	return it, bad("it is %.20s, want a string, a list of token ids, or an object with text or image", e)
}

// openAIMessages reads a conversation. CLIP has no embedding of several texts and images
// together, so each is answered with its own, in their order; most have one.
func (s *Server) openAIMessages(r *http.Request, messages []openAIMessage) ([]item, error) {
	var items []item
	for _, m := range messages {
		content := bytes.TrimSpace(m.Content)
		if len(content) == 0 {
			return nil, bad("a message has no content")
		}
		if content[0] == '"' {
			var text string
			if err := decodeJSON(content, &text); err != nil {
				return nil, err
			}
			items = append(items, item{text: text})
			continue
		}
		var parts []openAIPart
		if err := decodeJSON(content, &parts); err != nil {
			return nil, bad("a message's content is neither a string nor a list of parts")
		}
		for _, p := range parts {
			switch {
			case p.Type == "text" && p.Text != nil:
				if *p.Text != "" {
					items = append(items, item{text: *p.Text})
				}
			case p.Type == "image_url" && p.ImageURL != nil:
				file, err := s.image(r, p.ImageURL.URL)
				if err != nil {
					return nil, err
				}
				items = append(items, item{image: file})
			default:
				return nil, bad("a message has a part of type %.50q, want text with text or image_url with image_url.url", p.Type)
			}
		}
	}
	if len(items) == 0 {
		return nil, bad("the messages have neither a text nor an image")
	}
	return items, nil
}
