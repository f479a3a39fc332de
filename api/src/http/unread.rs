//! The end of connections on which a body was left unread.
//!
//! An answer may come before all of a body is there: it is too long, or not of a type that is read. Of a body that
//! says its length the library reads no more then, and closes the connection. A body in chunks it reads to its end,
//! however far that is, as soon as nobody holds it any more. So the answer holds it until all of the answer is sent.

use std::cell::RefCell;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use actix_web::body::{BodySize, BoxBody, EitherBody, MessageBody};
use actix_web::dev::{Payload, ServiceRequest, ServiceResponse};
use actix_web::error::PayloadError;
use actix_web::middleware::Next;
use actix_web::web::Bytes;
use actix_web::{Error, HttpMessage};
use futures_util::Stream;

/// Goes around everything else, so that nothing takes the body of the answer apart.
pub(crate) async fn end_connection<B: MessageBody + 'static>(
    mut request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<EitherBody<B, Holding>>, Error> {
    // What cannot be understood is no body in chunks; the library refuses it.
    if !request.chunked().unwrap_or_default() {
        return next.call(request).await.map(ServiceResponse::map_into_left_body);
    }
    let unread = Unread(Rc::new(RefCell::new(request.take_payload())));
    request.set_payload(Payload::Stream { payload: Box::pin(unread.clone()) });
    let response = next.call(request).await?;
    Ok(response.map_body(|_, body| EitherBody::right(Holding { body: body.boxed(), _unread: unread })))
}

/// What is there to be read of a request.
#[derive(Clone)]
struct Unread(Rc<RefCell<Payload>>);

impl Stream for Unread {
    type Item = Result<Bytes, PayloadError>;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        Pin::new(&mut *self.0.borrow_mut()).poll_next(context)
    }
}

/// The body of an answer, with what is left of the request's.
pub(crate) struct Holding {
    body: BoxBody,
    _unread: Unread,
}

impl MessageBody for Holding {
    type Error = <BoxBody as MessageBody>::Error;

    fn size(&self) -> BodySize {
        self.body.size()
    }

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Bytes, Self::Error>>> {
        Pin::new(&mut self.body).poll_next(context)
    }
}
