//! What a request of the kit's client has failed with.
use aws_sdk_s3::config::http::HttpResponse;
use aws_sdk_s3::error::{DisplayErrorContext, ProvideErrorMetadata, SdkError};

/// A request that was refused, or that got no answer.
#[derive(Debug, Clone)]
pub struct S3Failure {
    /// The status, if an answer came.
    pub status: Option<u16>,
    /// S3's code, such as `AccessDenied`, if the answer held one.
    pub code: Option<String>,
    text: String,
}

impl S3Failure {
    /// Whether the store answered with this code.
    pub fn is(&self, code: &str) -> bool {
        self.code.as_deref() == Some(code)
    }

    pub(super) fn other(text: impl ToString) -> Self {
        Self { status: None, code: None, text: text.to_string() }
    }
}

impl std::fmt::Display for S3Failure {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(&self.text)
    }
}

impl std::error::Error for S3Failure {}

impl<E> From<SdkError<E, HttpResponse>> for S3Failure
where
    E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
{
    fn from(error: SdkError<E, HttpResponse>) -> Self {
        Self {
            status: error.raw_response().map(|answer| answer.status().as_u16()),
            code: error.code().map(str::to_owned),
            text: DisplayErrorContext(&error).to_string(),
        }
    }
}
