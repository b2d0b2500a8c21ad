package main

import (
	"embed"
	"fmt"
	"html/template"
	"log"
	"net/http"

	"github.com/the-eye-events/the-eye/client"
)

//go:embed pages/*.html
var pages embed.FS

// product is something that the shop sells. The price is in cents.
type product struct {
	ID, Name string
	Price    int
}

// products returns all that the shop sells.
func products() []product {
	return []product{{"lens", "A lens", 4900}, {"lamp", "A lamp", 1500}, {"chart", "An eye chart", 900}}
}

// eyeForPages is what the browser client needs.
type eyeForPages struct{ URL, Key string }

// shop answers requests. It is safe for concurrent use.
type shop struct {
	pages  *template.Template
	eye    eyeForPages
	events *client.Buffer
}

// page is what the templates show.
type page struct {
	Eye      eyeForPages
	Products []product
	Product  product
	Order    string
}

func newShop(eye eyeForPages, events *client.Buffer) (http.Handler, error) {
	parsed, err := template.New("").Funcs(template.FuncMap{"euros": formatPrice}).ParseFS(pages, "pages/*.html")
	if err != nil {
		return nil, err
	}

	s := &shop{pages: parsed, eye: eye, events: events}
	routes := http.NewServeMux()
	routes.HandleFunc("GET /{$}", s.showProducts)
	routes.HandleFunc("GET /products/{id}", s.showProduct)
	routes.HandleFunc("POST /orders", s.placeOrder)
	return routes, nil
}

func (s *shop) showProducts(w http.ResponseWriter, _ *http.Request) {
	s.show(w, "products.html", page{Products: products()})
}

func (s *shop) showProduct(w http.ResponseWriter, r *http.Request) {
	found, ok := findProduct(r.PathValue("id"))
	if !ok {
		http.NotFound(w, r)
		return
	}

	s.show(w, "product.html", page{Product: found})
}

// placeOrder takes an order. The form brings the session of the page, so that the order stands in
// it behind the clicks that led to it. Whether the service answers does not matter here: the
// buffer holds the event.
func (s *shop) placeOrder(w http.ResponseWriter, r *http.Request) {
	bought, ok := findProduct(r.PostFormValue("product"))
	if !ok {
		http.NotFound(w, r)
		return
	}

	order := client.NewID()
	session := r.PostFormValue("session")
	if session == "" { // the visitor does not want to be followed, or has no scripts
		session = client.NewID()
	}

	err := s.events.Enqueue(client.Event{
		SessionID: session,
		Category:  "order",
		Name:      "placed",
		Data:      map[string]any{"order": order, "product": bought.ID, "cents": bought.Price},
	})
	if err != nil {
		log.Print(err) // the order counts, with or without its event
	}

	s.show(w, "thanks.html", page{Product: bought, Order: order})
}

func (s *shop) show(w http.ResponseWriter, name string, shown page) {
	shown.Eye = s.eye
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	if err := s.pages.ExecuteTemplate(w, name, shown); err != nil {
		log.Print(err)
	}
}

func findProduct(id string) (product, bool) {
	for _, one := range products() {
		if one.ID == id {
			return one, true
		}
	}

	return product{}, false
}

func formatPrice(cents int) string { return fmt.Sprintf("%d.%02d €", cents/100, cents%100) }
