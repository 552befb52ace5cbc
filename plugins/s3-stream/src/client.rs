//! The SDK's client: credentials from its default chain, refreshed by it; our TLS, and none of its
//! retries.

use std::{fs, time::Duration};

use aws_config::{
    BehaviorVersion, Region, SdkConfig, environment::EnvironmentVariableRegionProvider,
    meta::region::RegionProviderChain, profile::ProfileFileRegionProvider,
};
use aws_sdk_s3::{
    Client,
    config::{
        RequestChecksumCalculation, ResponseChecksumValidation, SharedHttpClient,
        StalledStreamProtectionConfig, retry::RetryConfig, timeout::TimeoutConfig,
    },
};
use aws_smithy_http_client::{
    Builder,
    tls::{Provider, TlsContext, TrustStore, rustls_provider::CryptoMode},
};
use aws_types::service_config::ServiceConfigKey;

use crate::{
    clock::StoreClock,
    error::S3Error,
    options::{InForce, Options},
};

/// Longest wait for a connection.
const CONNECT_LIMIT: Duration = Duration::from_secs(5);
/// Region of stores that have none, and of AWS if nothing names another.
const DEFAULT_REGION: &str = "us-east-1";

/// A client and what follows from where it leads.
pub(crate) struct Connected {
    pub(crate) client: Client,
    /// What requests go by.
    pub(crate) in_force: InForce,
    /// True if bodies go through TLS.
    pub(crate) is_encrypted: bool,
}

/// Makes the client. Nothing is connected yet, and no credentials are looked for.
///
/// # Errors
/// [`S3Error::Authorities`], [`S3Error::Tls`].
pub(crate) async fn client(options: &Options, clock: &StoreClock) -> Result<Connected, S3Error> {
    let http = http_client(options)?;
    let shared = shared_config(options, http).await;
    let endpoint = options.endpoint.clone().or_else(|| configured_endpoint(&shared));
    let is_encrypted = !endpoint.as_ref().is_some_and(|endpoint| endpoint.starts_with("http://"));
    let path_style = options.path_style.unwrap_or(endpoint.is_some());
    let mut config = aws_sdk_s3::config::Builder::from(&shared)
        .force_path_style(path_style)
        .retry_config(RetryConfig::disabled())
        .timeout_config(TimeoutConfig::builder().connect_timeout(CONNECT_LIMIT).build())
        // It does not see stalls of bodies that are in memory; each attempt has a limit instead.
        .stalled_stream_protection(StalledStreamProtectionConfig::disabled())
        .request_checksum_calculation(RequestChecksumCalculation::WhenRequired)
        .response_checksum_validation(ResponseChecksumValidation::WhenRequired)
        // Each answer corrects what the next request is signed with.
        .disable_clock_skew_correction(false)
        .interceptor(clock.clone());
    if let Some(endpoint) = &endpoint {
        config = config.endpoint_url(endpoint);
    }
    let region = shared.region().map(|region| region.as_ref().to_owned());
    let in_force = InForce { endpoint, region, profile: configured_profile(&shared) };
    Ok(Connected { client: Client::from_conf(config.build()), in_force, is_encrypted })
}

/// The endpoint of environment or profile: one for S3 alone counts more than one for everything.
fn configured_endpoint(shared: &SdkConfig) -> Option<String> {
    let key = ServiceConfigKey::builder()
        .service_id("S3")
        .env("AWS_ENDPOINT_URL")
        .profile("endpoint_url")
        .build();
    let own = key.ok().and_then(|key| shared.service_config()?.load_config(key));
    own.or_else(|| shared.endpoint_url().map(str::to_owned))
}

/// The profile that the environment names: whoever goes on elsewhere needs the same one.
fn configured_profile(shared: &SdkConfig) -> Option<String> {
    // A profile names no other one, so that only the environment can answer.
    let key = ServiceConfigKey::builder()
        .service_id("S3")
        .env("AWS_PROFILE")
        .profile("aws_profile")
        .build()
        .ok()?;
    shared.service_config()?.load_config(key).filter(|name| !name.is_empty())
}

/// Credentials, region and endpoint as environment, profile and options say.
async fn shared_config(options: &Options, http: SharedHttpClient) -> SdkConfig {
    // The service of virtual machines is not asked for a region: elsewhere that costs seconds.
    let profile = match &options.profile {
        Some(name) => ProfileFileRegionProvider::builder().profile_name(name).build(),
        None => ProfileFileRegionProvider::new(),
    };
    let region = RegionProviderChain::first_try(options.region.clone().map(Region::new))
        .or_else(EnvironmentVariableRegionProvider::new())
        .or_else(profile)
        .or_else(Region::from_static(DEFAULT_REGION));
    let mut loader =
        aws_config::defaults(BehaviorVersion::latest()).http_client(http).region(region);
    if let Some(profile) = &options.profile {
        loader = loader.profile_name(profile);
    }
    loader.load().await
}

/// TLS by rustls with ring. The provider is named here; the process-wide one is not touched.
fn http_client(options: &Options) -> Result<SharedHttpClient, S3Error> {
    let builder = Builder::new().tls_provider(Provider::Rustls(CryptoMode::Ring));
    let Some(path) = &options.ca_file else { return Ok(builder.build_https()) };
    let failed = |source| S3Error::Authorities { path: path.clone(), source };
    let pem = fs::read(path).map_err(failed)?;
    if !pem.windows(27).any(|window| window == b"-----BEGIN CERTIFICATE-----") {
        let what = "it holds no certificate in PEM form";
        return Err(failed(std::io::Error::new(std::io::ErrorKind::InvalidData, what)));
    }
    let context = TlsContext::builder()
        .with_trust_store(TrustStore::default().with_pem_certificate(pem))
        .build()
        .map_err(|error| S3Error::Tls(Box::new(error)))?;
    Ok(builder.tls_context(context).build_https())
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_types::service_config::LoadServiceConfig;

    /// An environment with one variable.
    #[derive(Debug)]
    struct Environment(&'static str, &'static str);

    impl LoadServiceConfig for Environment {
        fn load_config(&self, key: ServiceConfigKey<'_>) -> Option<String> {
            (key.env() == self.0).then(|| self.1.to_owned())
        }
    }

    fn profile_in(environment: Environment) -> Option<String> {
        configured_profile(&SdkConfig::builder().service_config(environment).build())
    }

    #[test]
    fn the_profile_of_the_environment_is_known() {
        assert_eq!(profile_in(Environment("AWS_PROFILE", "backup")), Some("backup".to_owned()));
        assert_eq!(profile_in(Environment("AWS_PROFILE", "")), None);
        assert_eq!(profile_in(Environment("AWS_ENDPOINT_URL", "http://store")), None);
    }
}
